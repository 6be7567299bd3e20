-- $1 agent
-- $2 thread
-- $3 context
INSERT INTO agent_memory (agent_uri, thread_id, identifier, context, created)
SELECT
    $1::TEXT,
    $2::UUID,
    gen_random_uuid(),
    $3::JSONB,
    greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond')
FROM agent_memory
WHERE agent_uri = $1::TEXT AND thread_id = $2::UUID
