-- $1 lines
-- $2 identifiers
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
        UNION ALL
        SELECT 2, value, number
        FROM json_array_elements(given.elements) WITH ORDINALITY AS item (value, number)
    ) AS row
),
present AS (
    SELECT identifier FROM memories AS conversation
    WHERE identifier = ANY ($2::TEXT[])
),
present_rows AS (
    SELECT
        identifier,
        kind,
        row_number() OVER (PARTITION BY identifier, kind ORDER BY created, place) AS number,
        created,
        content
    FROM (
        SELECT identifier, 1 AS kind, created, place, variables AS content
        FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE identifier = ANY ($2::TEXT[])
        UNION ALL
        SELECT identifier, 2, created, place, content
        FROM (
        SELECT identifier, created, ctid AS place, content FROM memories_elements
    ) AS element
        WHERE identifier = ANY ($2::TEXT[])
    ) AS stored
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
created AS (
    INSERT INTO memories (identifier, created)
    SELECT identifier, created FROM given
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
),
variables AS (
    INSERT INTO memories_variables (identifier, variables, created)
    SELECT given_rows.identifier, given_rows.content, given_rows.created
    FROM created
    JOIN given_rows ON given_rows.identifier = created.identifier AND given_rows.kind = 1
    ORDER BY given_rows.identifier, given_rows.number
),
elements AS (
    INSERT INTO memories_elements (identifier, content, created)
    SELECT given_rows.identifier, given_rows.content, given_rows.created
    FROM created
    JOIN given_rows ON given_rows.identifier = created.identifier AND given_rows.kind = 2
    ORDER BY given_rows.identifier, given_rows.number
)
SELECT
    coalesce((SELECT array_agg(identifier) FROM created), '{}'),
    coalesce((SELECT array_agg(identifier) FROM differing), '{}')
