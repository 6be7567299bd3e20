DROP INDEX IF EXISTS draive_pg_recent_turns
