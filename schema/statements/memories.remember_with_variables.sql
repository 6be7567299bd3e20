-- $1 identifier
-- $2 variables
-- $3 elements
WITH snapshot AS (
    INSERT INTO memories_variables (identifier, variables, created)
    SELECT $1::TEXT, $2::JSONB, greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond')
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE identifier = $1::TEXT
),
batch AS (
    SELECT greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond') AS start
    FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
    WHERE identifier = $1::TEXT AND created < 'infinity'
)
INSERT INTO memories_elements (identifier, content, created)
SELECT
    $1::TEXT,
    item.content::JSONB,
    batch.start + (item.number - 1) * INTERVAL '1 microsecond'
FROM batch,
    json_array_elements($3::JSON) WITH ORDINALITY AS item (content, number)
ORDER BY item.number
