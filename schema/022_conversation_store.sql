-- Elements that were removed or replaced one by one, and keys of writes that must not be repeated.
CREATE TABLE IF NOT EXISTS draive_pg_removed_elements (
    identifier TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    action TEXT NOT NULL,
    removed TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    role TEXT NOT NULL DEFAULT session_user,
    author TEXT DEFAULT NULL,
    reason TEXT DEFAULT NULL,
    content JSONB NOT NULL
);

CREATE INDEX IF NOT EXISTS draive_pg_removed_elements_identifier_removed
    ON draive_pg_removed_elements (identifier, removed);

CREATE TABLE IF NOT EXISTS draive_pg_keys (
    identifier TEXT NOT NULL,
    key TEXT NOT NULL,
    expires TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (identifier, key)
);
