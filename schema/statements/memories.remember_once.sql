-- $1 identifier
-- $2 key
-- $3 expiration
-- $4 elements
WITH fresh AS (
    INSERT INTO draive_pg_keys (identifier, key, expires)
    VALUES ($1::TEXT, $2::TEXT, clock_timestamp() + $3::INTERVAL)
    ON CONFLICT (identifier, key) DO NOTHING
    RETURNING key
),
conversation AS (
    INSERT INTO memories (identifier, created)
    SELECT $1::TEXT, now()
WHERE EXISTS (SELECT FROM fresh)
    ON CONFLICT (identifier) DO NOTHING
)
INSERT INTO memories_elements (identifier, content, created)
SELECT
    $1::TEXT,
    item.content::JSONB,
    batch.start + (item.number - 1) * INTERVAL '1 microsecond'
FROM (
    SELECT greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond') AS start
    FROM memories_elements AS element
    WHERE identifier = $1::TEXT AND created < 'infinity'
) AS batch, json_array_elements($4::JSON) WITH ORDINALITY AS item (content, number)
WHERE EXISTS (SELECT FROM fresh)
ORDER BY item.number
