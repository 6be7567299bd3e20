-- The times of removed revisions, whoever removed them: revisions are numbered in the order of their
-- times, and the removed ones keep their numbers, so that no number ever means another text.
CREATE TABLE IF NOT EXISTS draive_pg_removals (
    name TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (name, created)
);

CREATE TABLE IF NOT EXISTS draive_pg_configuration_removals (
    name TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (name, created)
);

-- The arguments of the trigger are the table of the removals and the column of the name. It writes
-- as the owner of the tables, because a role that removes revisions may have no right to that table.
CREATE OR REPLACE FUNCTION draive_pg_record_removal() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name TEXT;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format(
            'INSERT INTO %1$I.%2$I (name, created) SELECT %3$I, created FROM %1$I.%4$I '
            'ON CONFLICT DO NOTHING',
            TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1], TG_TABLE_NAME
        );
        RETURN NULL;
    END IF;
    IF TG_ARGV[1] = 'name' THEN
        name := OLD.name;
    ELSE
        name := OLD.identifier;
    END IF;
    EXECUTE format(
        'INSERT INTO %I.%I (name, created) VALUES ($1, $2) ON CONFLICT DO NOTHING',
        TG_TABLE_SCHEMA, TG_ARGV[0]
    ) USING name, OLD.created;
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION draive_pg_record_removal() FROM PUBLIC;

CREATE OR REPLACE TRIGGER draive_pg_record_removal
    AFTER DELETE ON instructions
    FOR EACH ROW EXECUTE FUNCTION draive_pg_record_removal('draive_pg_removals', 'name');

CREATE OR REPLACE TRIGGER draive_pg_record_truncate
    BEFORE TRUNCATE ON instructions
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_record_removal('draive_pg_removals', 'name');

CREATE OR REPLACE TRIGGER draive_pg_record_removal
    AFTER DELETE ON configurations
    FOR EACH ROW EXECUTE FUNCTION
    draive_pg_record_removal('draive_pg_configuration_removals', 'identifier');

CREATE OR REPLACE TRIGGER draive_pg_record_truncate
    BEFORE TRUNCATE ON configurations
    FOR EACH STATEMENT EXECUTE FUNCTION
    draive_pg_record_removal('draive_pg_configuration_removals', 'identifier');

-- A digest of what a label was put on: a revision with the same time and another content, which a
-- role without rights on this table could write, is not what the label means. NULL: not checked.
ALTER TABLE draive_pg_labels ADD COLUMN IF NOT EXISTS digest TEXT DEFAULT NULL;

ALTER TABLE draive_pg_configuration_labels ADD COLUMN IF NOT EXISTS digest TEXT DEFAULT NULL;
