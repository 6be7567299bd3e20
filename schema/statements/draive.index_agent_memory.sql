CREATE INDEX IF NOT EXISTS agent_memory_idx
ON agent_memory (agent_uri, thread_id, created DESC, identifier DESC)
