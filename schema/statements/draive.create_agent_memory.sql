CREATE TABLE IF NOT EXISTS agent_memory (
    agent_uri TEXT NOT NULL,
    thread_id UUID NOT NULL,
    identifier UUID NOT NULL,
    context JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agent_uri, thread_id, identifier)
)
