-- What 008, 010 and 011 have beside instructions: a database without the table of instructions needs
-- it, too. In every other database it replaces each object by an equal one.
CREATE OR REPLACE FUNCTION draive_pg_notify() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    told TEXT := coalesce(TG_ARGV[0], TG_TABLE_NAME);
    subjects TEXT[] := ARRAY[NULL];
    subject TEXT;
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        IF told = 'instructions' THEN
            subjects := ARRAY[OLD.name, NEW.name];
        ELSE
            subjects := ARRAY[OLD.identifier, NEW.identifier];
        END IF;
        subjects := array_remove(subjects, NULL);
    END IF;
    FOREACH subject IN ARRAY subjects LOOP
        IF octet_length(subject) > 2000 THEN
            subject := NULL;
        END IF;
        PERFORM pg_notify('draive_pg', json_build_array(TG_TABLE_SCHEMA, told, subject)::TEXT);
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON configurations
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify('configurations');

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON configurations
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify('configurations');

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
    AFTER DELETE ON configurations
    FOR EACH ROW EXECUTE FUNCTION
    draive_pg_record_removal('draive_pg_configuration_removals', 'identifier');

CREATE OR REPLACE TRIGGER draive_pg_record_truncate
    BEFORE TRUNCATE ON configurations
    FOR EACH STATEMENT EXECUTE FUNCTION
    draive_pg_record_removal('draive_pg_configuration_removals', 'identifier');

ALTER TABLE draive_pg_configuration_labels ADD COLUMN IF NOT EXISTS digest TEXT DEFAULT NULL;

ALTER TABLE draive_pg_configuration_labels
    ADD COLUMN IF NOT EXISTS released TIMESTAMPTZ DEFAULT NULL;

ALTER TABLE draive_pg_configuration_labels
    ALTER COLUMN released SET DEFAULT CURRENT_TIMESTAMP;

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
