DROP INDEX IF EXISTS draive_pg_agent_threads
