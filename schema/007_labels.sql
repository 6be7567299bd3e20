-- Every move of a label (production, staging, ...): the newest move of a label says which revision
-- it is on, by the revision's `created`, or that it was removed, by null. Rows are only added, so
-- that who moved what when is kept, also where the revisions are gone.
CREATE TABLE IF NOT EXISTS draive_pg_labels (
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    revision TIMESTAMPTZ DEFAULT NULL,
    moved TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    author TEXT DEFAULT NULL,
    message TEXT DEFAULT NULL,
    PRIMARY KEY (name, label, moved)
);
