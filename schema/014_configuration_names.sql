-- The class of a configuration, which draive 0.94 and newer reads and writes. A row of a client
-- that does not write it gets the name of the newest row of the identifier, else the last part of
-- the identifier, which for draive's default identifier is the name of the class. The setting is
-- for draive_pg: identifier and name of the next rows, separated by a line feed.
ALTER TABLE configurations ADD COLUMN IF NOT EXISTS name TEXT;

CREATE OR REPLACE FUNCTION draive_pg_configuration_name() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    given TEXT := current_setting('draive_pg.configuration_name', TRUE);
BEGIN
    IF starts_with(given, NEW.identifier || E'\n') THEN
        NEW.name := substr(given, length(NEW.identifier) + 2);
    ELSE
        EXECUTE format(
            'SELECT name FROM %I.%I WHERE identifier = $1 ORDER BY created DESC LIMIT 1',
            TG_TABLE_SCHEMA, TG_TABLE_NAME
        ) INTO NEW.name USING NEW.identifier;
        NEW.name := coalesce(NEW.name, substring(NEW.identifier FROM '[^.]*$'));
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER draive_pg_name
    BEFORE INSERT ON configurations
    FOR EACH ROW WHEN (NEW.name IS NULL) EXECUTE FUNCTION draive_pg_configuration_name();

UPDATE configurations SET name = substring(identifier FROM '[^.]*$') WHERE name IS NULL;
