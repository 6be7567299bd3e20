-- Revisions that were equal to a file of a folder after a push or a pull: the base of the next
-- comparison with a folder. `documents` is the table of the revision, `digest` the digest of the file,
-- and `stored` the digest of the row. A row without a revision: the document was removed on both sides.
CREATE TABLE IF NOT EXISTS draive_pg_folder_bases (
    documents TEXT NOT NULL,
    name TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    revision TIMESTAMPTZ DEFAULT NULL,
    digest TEXT DEFAULT NULL,
    stored TEXT DEFAULT NULL,
    labels JSONB DEFAULT NULL,
    recorded TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (documents, name, number)
);

-- The time of the transaction that moved a label: moves of one release have the same.
ALTER TABLE draive_pg_labels ADD COLUMN IF NOT EXISTS released TIMESTAMPTZ DEFAULT NULL;

ALTER TABLE draive_pg_labels ALTER COLUMN released SET DEFAULT CURRENT_TIMESTAMP;

ALTER TABLE draive_pg_configuration_labels
    ADD COLUMN IF NOT EXISTS released TIMESTAMPTZ DEFAULT NULL;

ALTER TABLE draive_pg_configuration_labels
    ALTER COLUMN released SET DEFAULT CURRENT_TIMESTAMP;
