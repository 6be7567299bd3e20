-- $1 identifier
-- $2 key
-- $3 expiration
-- $4 turns
WITH fresh AS (
    INSERT INTO draive_pg_keys (identifier, key, expires)
    VALUES ($1::TEXT, $2::TEXT, clock_timestamp() + $3::INTERVAL)
    ON CONFLICT (identifier, key) DO NOTHING
    RETURNING key
),
batch AS (
    SELECT greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond') AS start
    FROM conversation_memory AS turn
    WHERE thread_id = $1::TEXT
)
INSERT INTO conversation_memory (thread_id, identifier, turn, payload, created)
SELECT
    $1::TEXT,
    (item.payload ->> 'identifier')::UUID,
    item.payload ->> 'turn',
    item.payload::JSONB,
    batch.start + (item.number - 1) * INTERVAL '1 microsecond'
FROM batch,
    json_array_elements($4::JSON) WITH ORDINALITY AS item (payload, number)
WHERE EXISTS (SELECT FROM fresh)
ORDER BY item.number
