-- Threads of agents by the identifier that draive_pg gives them: an index to read one thread.
CREATE INDEX IF NOT EXISTS draive_pg_agent_threads ON agent_memory (
    (agent_uri || '#' || thread_id::TEXT), created DESC, identifier DESC
);
