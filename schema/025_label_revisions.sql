-- The labels that were on a revision, without reading all moves of its name. A database may lack the
-- tables of instructions or of templates.
DO $$
BEGIN
    IF to_regclass('draive_pg_labels') IS NOT NULL THEN
        CREATE INDEX IF NOT EXISTS draive_pg_labels_name_revision
            ON draive_pg_labels (name, revision) WHERE revision IS NOT NULL;
    END IF;
    IF to_regclass('draive_pg_template_labels') IS NOT NULL THEN
        CREATE INDEX IF NOT EXISTS draive_pg_template_labels_name_revision
            ON draive_pg_template_labels (name, revision) WHERE revision IS NOT NULL;
    END IF;
    IF to_regclass('draive_pg_configuration_labels') IS NOT NULL THEN
        CREATE INDEX IF NOT EXISTS draive_pg_configuration_labels_name_revision
            ON draive_pg_configuration_labels (name, revision) WHERE revision IS NOT NULL;
    END IF;
END
$$;
