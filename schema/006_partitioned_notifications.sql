-- Where tables are partitioned, triggers run on the partitions: what changed is told by the name
-- of the table that was partitioned, which is the one that clients know.
CREATE OR REPLACE FUNCTION draive_pg_notify() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    changed_schema TEXT;
    changed TEXT;
    subjects TEXT[] := ARRAY[NULL];
    subject TEXT;
BEGIN
    SELECT pg_namespace.nspname, pg_class.relname
    INTO changed_schema, changed
    FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE pg_class.oid = coalesce(pg_partition_root(TG_RELID), TG_RELID);
    IF TG_LEVEL = 'ROW' THEN
        IF changed = 'instructions' THEN
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
            'draive_pg', json_build_array(changed_schema, changed, subject)::TEXT
        );
    END LOOP;
    RETURN NULL;
END
$$;
