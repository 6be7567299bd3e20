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
        place,
        row_number() OVER (ORDER BY created, place) - 1 AS position
    FROM (
        SELECT identifier, created, ctid AS place, content FROM memories_elements
    ) AS element
    WHERE identifier = $1::TEXT
),
target AS (
    INSERT INTO memories (identifier, created)
    SELECT $2::TEXT, now()
    FROM source
    WHERE $3::INT8 IS NULL
        OR EXISTS (SELECT FROM numbered WHERE position = $3::INT8)
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
),
variables AS (
    INSERT INTO memories_variables (identifier, variables, created)
    SELECT $2::TEXT, snapshot.variables, snapshot.created
    FROM target, (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE snapshot.identifier = $1::TEXT
        AND NOT EXISTS (
            SELECT FROM numbered
            WHERE position = $3::INT8 + 1 AND numbered.created <= snapshot.created
        )
    ORDER BY snapshot.created, snapshot.place
),
elements AS (
    INSERT INTO memories_elements (identifier, content, created)
    SELECT $2::TEXT, numbered.content, numbered.created
    FROM target, numbered
    WHERE $3::INT8 IS NULL OR numbered.position <= $3::INT8
    ORDER BY numbered.position
)
SELECT
    EXISTS (SELECT FROM source) AS existed,
    (SELECT count(*) FROM numbered) AS elements,
    EXISTS (SELECT FROM target) AS created
