-- $1 identifier
-- $2 elements
INSERT INTO memories_elements (identifier, content, created)
SELECT
    $1::TEXT,
    item.content::JSONB,
    batch.start + (item.number - 1) * INTERVAL '1 microsecond'
FROM (
    SELECT greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond') AS start
    FROM memories_elements AS element
    WHERE identifier = $1::TEXT AND created < 'infinity'
) AS batch, json_array_elements($2::JSON) WITH ORDINALITY AS item (content, number)
ORDER BY item.number
