-- Every removal of a revision, by whatever path: of which revision, when, by which role, and, if the
-- client said so, by whom and why. The row itself is kept only with draive_pg.keep_removed = on.
CREATE TABLE IF NOT EXISTS draive_pg_removed (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    removed TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    role TEXT NOT NULL DEFAULT session_user,
    author TEXT DEFAULT NULL,
    message TEXT DEFAULT NULL,
    digest TEXT NOT NULL,
    revision_author TEXT DEFAULT NULL,
    revision_message TEXT DEFAULT NULL,
    content JSONB DEFAULT NULL
);

CREATE INDEX IF NOT EXISTS draive_pg_removed_kind_name_created
    ON draive_pg_removed (kind, name, created);

-- The arguments of the trigger are the kind, the column of the name, and the table of authors and
-- messages, which it reads before the foreign key removes them. Author and message of the removal
-- are settings of its transaction. It writes as the owner of the tables, because a role that removes
-- revisions may have no right to this table.
CREATE OR REPLACE FUNCTION draive_pg_audit_removal() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone TEXT := 'SELECT ($1).*';
    recording TEXT;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        gone := format('SELECT * FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
    END IF;
    recording := format(
        $sql$
        INSERT INTO %1$I.draive_pg_removed (
            kind, name, created, author, message, digest, revision_author, revision_message, content
        )
        SELECT
            %2$L,
            gone.%3$I,
            gone.created,
            nullif(current_setting('draive_pg.author', TRUE), ''),
            nullif(current_setting('draive_pg.message', TRUE), ''),
            encode(sha256(convert_to(gone.content::TEXT, 'UTF8')), 'hex'),
            note.author,
            note.message,
            CASE
                WHEN current_setting('draive_pg.keep_removed', TRUE) = 'on' THEN to_jsonb(gone)
            END
        FROM (%5$s) AS gone
        LEFT JOIN %1$I.%4$I AS note ON note.name = gone.%3$I AND note.created = gone.created
        $sql$,
        TG_TABLE_SCHEMA,
        TG_ARGV[0],
        TG_ARGV[1],
        TG_ARGV[2],
        gone
    );
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE recording;
        RETURN NULL;
    END IF;
    EXECUTE recording USING OLD;
    RETURN OLD;
END
$$;

REVOKE ALL ON FUNCTION draive_pg_audit_removal() FROM PUBLIC;

CREATE OR REPLACE TRIGGER draive_pg_audit_removal
    BEFORE DELETE ON configurations
    FOR EACH ROW EXECUTE FUNCTION draive_pg_audit_removal(
        'configurations', 'identifier', 'draive_pg_configuration_revisions'
    );

CREATE OR REPLACE TRIGGER draive_pg_audit_truncate
    BEFORE TRUNCATE ON configurations
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_audit_removal(
        'configurations', 'identifier', 'draive_pg_configuration_revisions'
    );
