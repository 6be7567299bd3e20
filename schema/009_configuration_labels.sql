-- Authors, messages and labels of configurations, as 006 and 007 have them for instructions.
CREATE TABLE IF NOT EXISTS draive_pg_configuration_revisions (
    name TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    author TEXT DEFAULT NULL,
    message TEXT DEFAULT NULL,
    PRIMARY KEY (name, created),
    FOREIGN KEY (name, created) REFERENCES configurations (identifier, created)
        ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE IF NOT EXISTS draive_pg_configuration_labels (
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    revision TIMESTAMPTZ DEFAULT NULL,
    moved TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    author TEXT DEFAULT NULL,
    message TEXT DEFAULT NULL,
    PRIMARY KEY (name, label, moved)
);

-- Notifies that a document changed, as draive_pg_notify does, by the name in a row of labels. The
-- argument of the trigger is the table of the documents.
CREATE OR REPLACE FUNCTION draive_pg_notify_name() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    subjects TEXT[] := ARRAY[NULL];
    subject TEXT;
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        subjects := array_remove(ARRAY[OLD.name, NEW.name], NULL);
    END IF;
    FOREACH subject IN ARRAY subjects LOOP
        IF octet_length(subject) > 2000 THEN
            subject := NULL;
        END IF;
        PERFORM pg_notify(
            'draive_pg', json_build_array(TG_TABLE_SCHEMA, TG_ARGV[0], subject)::TEXT
        );
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON draive_pg_configuration_labels
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify_name('configurations');

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON draive_pg_configuration_labels
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify_name('configurations');
