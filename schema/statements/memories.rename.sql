-- $1 identifier
-- $2 new_identifier
WITH source AS (
    SELECT identifier, created FROM memories AS conversation
    WHERE identifier = $1::TEXT
),
new_conversations AS (
    SELECT $2::TEXT AS identifier, source.created FROM source
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
),
inserted_snapshots AS (
    INSERT INTO memories_variables (identifier, variables, created)
    SELECT identifier, variables, created FROM new_snapshots ORDER BY identifier, number
),
new_elements AS (
    SELECT
        created_conversations.identifier,
        row_number() OVER (ORDER BY element.created, element.place) AS number,
        element.content,
        element.moment AS created
    FROM created_conversations, (
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
    WHERE element.identifier = $1::TEXT
),
inserted_elements AS (
    INSERT INTO memories_elements (identifier, content, created)
    SELECT identifier, content, created FROM new_elements ORDER BY identifier, number
),
removed AS (
    SELECT $1::TEXT AS identifier FROM created_conversations
),
removed_conversations AS (
    DELETE FROM memories AS conversation
    USING removed WHERE conversation.identifier = removed.identifier
    RETURNING conversation.identifier
),
elements_of_removed AS (
    DELETE FROM memories_elements AS element
    USING removed_conversations WHERE element.identifier = removed_conversations.identifier
),
snapshots_of_removed AS (
    DELETE FROM memories_variables AS snapshot
    USING removed_conversations WHERE snapshot.identifier = removed_conversations.identifier
)
SELECT
    EXISTS (SELECT FROM source) AS existed,
    EXISTS (SELECT FROM created_conversations) AS created,
    EXISTS (SELECT FROM source) AS listed
