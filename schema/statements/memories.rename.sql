-- $1 identifier
-- $2 new_identifier
WITH source AS (
    SELECT identifier, created FROM memories AS conversation
    WHERE identifier = $1::TEXT
),
target AS (
    INSERT INTO memories (identifier, created)
    SELECT $2::TEXT, source.created FROM source
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
    ORDER BY snapshot.created, snapshot.place
),
elements AS (
    INSERT INTO memories_elements (identifier, content, created)
    SELECT $2::TEXT, element.content, element.created
    FROM target, (
        SELECT identifier, created, ctid AS place, content FROM memories_elements
    ) AS element
    WHERE element.identifier = $1::TEXT
    ORDER BY element.created, element.place
),
removed AS (
    DELETE FROM memories AS conversation
    USING target WHERE conversation.identifier = $1::TEXT
)
SELECT EXISTS (SELECT FROM source) AS existed, EXISTS (SELECT FROM target) AS created
