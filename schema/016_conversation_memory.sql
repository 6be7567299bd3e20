-- Conversations, as draive 0.100 and newer reads and writes them: the turns of a thread in the order
-- of their `created`.
CREATE TABLE IF NOT EXISTS conversation_memory (
    thread_id TEXT NOT NULL,
    identifier UUID NOT NULL,
    turn TEXT NOT NULL,
    payload JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (thread_id, identifier)
);

CREATE INDEX IF NOT EXISTS conversation_memory_idx ON conversation_memory (thread_id, created DESC);
