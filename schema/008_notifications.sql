-- Tells of moved labels as of changed instructions, which they are to those who read by a label.
-- The triggers name the table that is told of: on a partitioned table they fire for its partitions.
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

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON instructions
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify('instructions');

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON instructions
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify('instructions');

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON draive_pg_labels
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify('instructions');

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON draive_pg_labels
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify('instructions');
