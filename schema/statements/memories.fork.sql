-- $1 identifier
-- $2 new_identifier
-- $3 position
WITH source AS (
    SELECT identifier FROM memories AS conversation
    WHERE identifier = $1::TEXT
),
numbered AS (
    SELECT
        content,
        created,
        moment,
        row_number() OVER (ORDER BY created, place) - 1 AS position
    FROM (
        SELECT
            identifier,
            created,
            created AS moment,
            ctid AS place,
            xmin AS writer,
            content,
            content ->> 'type' AS type,
            content -> 'meta' AS meta,
            CASE
                WHEN content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL
                THEN coalesce(content #>> '{blocks,0,type}', 'content')
            END AS kind,
            content #> '{blocks,0}' AS block,
            content AS composite
        FROM memories_elements
    ) AS element
    WHERE identifier = $1::TEXT
),
new_conversations AS (
    SELECT $2::TEXT AS identifier, now() AS created
    FROM source
    WHERE $3::INT8 IS NULL
        OR EXISTS (SELECT FROM numbered WHERE position = $3::INT8)
),
created_conversations AS (
    INSERT INTO memories (identifier, created)
    SELECT identifier, created FROM new_conversations
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
),
new_snapshots AS (
    SELECT
        created_conversations.identifier,
        row_number() OVER (ORDER BY snapshot.created, snapshot.place) AS number,
        snapshot.variables,
        snapshot.created
    FROM created_conversations, (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE snapshot.identifier = $1::TEXT
        AND NOT EXISTS (
            SELECT FROM numbered
            WHERE position = $3::INT8 + 1 AND numbered.created <= snapshot.created
        )
),
inserted_snapshots AS (
    INSERT INTO memories_variables (identifier, variables, created)
    SELECT identifier, variables, created FROM new_snapshots ORDER BY identifier, number
),
new_elements AS (
    SELECT
        created_conversations.identifier,
        numbered.position AS number,
        numbered.content,
        numbered.moment AS created
    FROM created_conversations, numbered
    WHERE $3::INT8 IS NULL OR numbered.position <= $3::INT8
),
inserted_elements AS (
    INSERT INTO memories_elements (identifier, content, created)
    SELECT identifier, content, created FROM new_elements ORDER BY identifier, number
)
SELECT
    EXISTS (SELECT FROM source) AS existed,
    (SELECT count(*) FROM numbered) AS elements,
    EXISTS (SELECT FROM created_conversations) AS created
