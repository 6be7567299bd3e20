-- The labels that were on a revision, without reading all moves of its name. A database may lack the
-- tables of instructions or of templates.
DO $$
DECLARE
    moves TEXT;
BEGIN
    FOREACH moves IN ARRAY ARRAY[
        'draive_pg_labels', 'draive_pg_template_labels', 'draive_pg_configuration_labels'
    ] LOOP
        IF to_regclass(moves) IS NOT NULL THEN
            EXECUTE format(
                'CREATE INDEX IF NOT EXISTS %I ON %I (name, revision) WHERE revision IS NOT NULL',
                moves || '_name_revision', moves
            );
        END IF;
    END LOOP;
END
$$;
