DROP INDEX IF EXISTS agent_memory_idx
