-- Agents, as draive 0.113 and newer reads and writes them: each row is the whole context of a thread
-- at one time, and the newest holds.
CREATE TABLE IF NOT EXISTS agent_memory (
    agent_uri TEXT NOT NULL,
    thread_id UUID NOT NULL,
    identifier UUID NOT NULL,
    context JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agent_uri, thread_id, identifier)
);

CREATE INDEX IF NOT EXISTS agent_memory_idx
    ON agent_memory (agent_uri, thread_id, created DESC, identifier DESC);
