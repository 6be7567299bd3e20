-- $1 lines
-- $2 with_variables
-- $3 identifiers
WITH given AS (
    SELECT
        line ->> 'identifier' AS identifier,
        (line ->> 'created')::TIMESTAMPTZ AS created,
        line -> 'variables' AS variables,
        line -> 'elements' AS elements
    FROM json_array_elements($1::JSON) AS line
),
given_rows AS (
    SELECT
        given.identifier,
        row.kind,
        row_number() OVER (PARTITION BY given.identifier, row.kind ORDER BY row.number) AS number,
        (row.value ->> 'created')::TIMESTAMPTZ AS created,
        (row.value -> 'content')::JSONB AS content
    FROM given
    CROSS JOIN LATERAL (
        SELECT 1 AS kind, value, number
        FROM json_array_elements(given.variables) WITH ORDINALITY AS item (value, number)
        WHERE $2::BOOLEAN
        UNION ALL
        SELECT 2, value, number
        FROM json_array_elements(given.elements) WITH ORDINALITY AS item (value, number)
    ) AS row
),
present AS (
    SELECT identifier FROM memories AS conversation
    WHERE identifier = ANY ($3::TEXT[])
),
present_rows AS (
    SELECT identifier, 1 AS kind, row_number() OVER ordered AS number, created, variables AS content
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE identifier = ANY ($3::TEXT[])
    WINDOW ordered AS (PARTITION BY identifier ORDER BY created, place)
    UNION ALL
    SELECT identifier, 2, number, created, content
    FROM (
    SELECT
        identifier,
        row_number() OVER ordered AS number,
        max(moment) OVER ordered AS created,
        content
    FROM (
        SELECT
            identifier,
            created,
            place,
            CASE content ->> 'type'
                WHEN 'model_input' THEN least(moment, lead(moment) OVER ordered) ELSE moment
            END AS moment,
            content
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
        WINDOW ordered AS (PARTITION BY identifier ORDER BY created, place)
    ) AS element
    WINDOW ordered AS (PARTITION BY identifier ORDER BY created, place)
) AS element
    WHERE identifier = ANY ($3::TEXT[])
),
differing AS (
    SELECT DISTINCT identifier
    FROM (
        SELECT given_rows.*
        FROM given_rows
        WHERE identifier IN (SELECT identifier FROM present)
    ) AS theirs
    FULL JOIN present_rows AS ours USING (identifier, kind, number)
    WHERE theirs.created IS DISTINCT FROM ours.created
        OR theirs.content IS DISTINCT FROM ours.content
),
new_conversations AS (SELECT identifier, created FROM given),
created_conversations AS (
    INSERT INTO memories (identifier, created)
    SELECT identifier, created FROM new_conversations
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
),
new_snapshots AS (
    SELECT
        given_rows.identifier,
        given_rows.number,
        given_rows.content AS variables,
        given_rows.created
    FROM created_conversations
    JOIN given_rows
        ON given_rows.identifier = created_conversations.identifier AND given_rows.kind = 1
),
inserted_snapshots AS (
    INSERT INTO memories_variables (identifier, variables, created)
    SELECT identifier, variables, created FROM new_snapshots ORDER BY identifier, number
),
new_elements AS (
    SELECT given_rows.identifier, given_rows.number, given_rows.content, given_rows.created
    FROM created_conversations
    JOIN given_rows
        ON given_rows.identifier = created_conversations.identifier AND given_rows.kind = 2
),
inserted_elements AS (
    INSERT INTO memories_elements (identifier, content, created)
    SELECT identifier, content, created FROM new_elements ORDER BY identifier, number
),
not_imported AS (
    SELECT identifier FROM differing
    UNION
    -- draive, which takes no locks, has created these meanwhile.
    SELECT identifier
    FROM given
    WHERE identifier NOT IN (SELECT identifier FROM present)
        AND identifier NOT IN (SELECT identifier FROM created_conversations)
)
SELECT
    coalesce((SELECT array_agg(identifier) FROM created_conversations), '{}'),
    coalesce((SELECT array_agg(identifier) FROM not_imported), '{}')
