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

-- Tells whoever listens on the channel draive_pg of a moved label as of changed instructions, which
-- they are to those who read by the label.
CREATE OR REPLACE FUNCTION draive_pg_notify_label() RETURNS TRIGGER LANGUAGE plpgsql AS $$
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
            'draive_pg', json_build_array(TG_TABLE_SCHEMA, 'instructions', subject)::TEXT
        );
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON draive_pg_labels
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify_label();

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON draive_pg_labels
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify_label();
