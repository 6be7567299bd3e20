-- $1 identifier
-- $2 turns
WITH batch AS (
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
    json_array_elements($2::JSON) WITH ORDINALITY AS item (payload, number)
ORDER BY item.number
