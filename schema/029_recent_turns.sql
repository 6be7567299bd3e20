-- Conversations of draive 0.100 and newer by time: an index to search the newest turns first.
CREATE INDEX IF NOT EXISTS draive_pg_recent_turns ON conversation_memory (created DESC);
