-- Which of these files were applied. Kept by setup(); nothing else reads it.
CREATE TABLE IF NOT EXISTS draive_pg_migrations (
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (version)
);
