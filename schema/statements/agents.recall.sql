-- $1 agent
-- $2 thread
SELECT context::TEXT
FROM agent_memory
WHERE agent_uri = $1::TEXT AND thread_id = $2::UUID
ORDER BY created DESC, identifier DESC
LIMIT 1
