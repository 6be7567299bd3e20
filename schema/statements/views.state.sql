-- $1 views
-- $2 names
-- $3 schema
WITH view AS (
    SELECT oid, relname
    FROM pg_class
    WHERE relnamespace = to_regnamespace(quote_ident($1::TEXT))
        AND relkind = 'v'
        AND relname = ANY ($2::TEXT[])
)
SELECT
    to_regnamespace(quote_ident($1::TEXT)) IS NOT NULL,
    coalesce($3::TEXT, (
        SELECT nspname::TEXT
        FROM pg_class
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = to_regclass('draive_pg_migrations')
    )),
    ARRAY(SELECT relname::TEXT FROM view ORDER BY relname),
    ARRAY(
        SELECT DISTINCT nspname::TEXT
        FROM view
        JOIN pg_rewrite ON ev_class = view.oid
        JOIN pg_depend ON classid = 'pg_rewrite'::REGCLASS AND objid = pg_rewrite.oid
        JOIN pg_class AS read ON read.oid = refobjid AND read.relkind IN ('r', 'p')
        JOIN pg_namespace ON pg_namespace.oid = read.relnamespace
        WHERE refclassid = 'pg_class'::REGCLASS
    )
