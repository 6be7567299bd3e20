-- How long memories are kept after their last write; `prune` removes them then. A row is for one
-- memory or, with `is_prefix`, for all whose identifiers begin with the name.
CREATE TABLE IF NOT EXISTS draive_pg_ttl (
    is_prefix BOOLEAN NOT NULL,
    name TEXT NOT NULL,
    ttl INTERVAL NOT NULL,
    PRIMARY KEY (is_prefix, name)
);
