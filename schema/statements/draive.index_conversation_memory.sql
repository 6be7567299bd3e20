CREATE INDEX IF NOT EXISTS conversation_memory_idx
ON conversation_memory (thread_id, created DESC)
