CREATE TABLE IF NOT EXISTS conversation_memory (
    thread_id TEXT NOT NULL,
    identifier UUID NOT NULL,
    turn TEXT NOT NULL,
    payload JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (thread_id, identifier)
)
