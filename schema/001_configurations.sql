-- Configuration snapshots, as draive 0.89 reads and writes them: the newest of an identifier holds.
CREATE TABLE IF NOT EXISTS configurations (
    identifier TEXT NOT NULL,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier, created)
);
