-- Tells whoever listens on the channel draive_pg, at commit, which configurations and instructions
-- changed, whoever changed them: caches need not wait until they expire. The message is a JSON
-- array of the schema, the table and the identifier or name; that is null where many changed, or
-- where it is too long for a message.
CREATE OR REPLACE FUNCTION draive_pg_notify() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    subjects TEXT[] := ARRAY[NULL];
    subject TEXT;
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        IF TG_TABLE_NAME = 'instructions' THEN
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
        PERFORM pg_notify(
            'draive_pg', json_build_array(TG_TABLE_SCHEMA, TG_TABLE_NAME, subject)::TEXT
        );
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON configurations
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify();

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON configurations
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify();

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON instructions
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify();

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON instructions
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify();
