-- What is kept beside an instruction revision: who made it, and why. It goes with the revision.
CREATE TABLE IF NOT EXISTS draive_pg_revisions (
    name TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    author TEXT DEFAULT NULL,
    message TEXT DEFAULT NULL,
    PRIMARY KEY (name, created),
    FOREIGN KEY (name, created) REFERENCES instructions (name, created)
        ON DELETE CASCADE ON UPDATE CASCADE
);
