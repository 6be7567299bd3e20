DROP INDEX IF EXISTS conversation_memory_idx
