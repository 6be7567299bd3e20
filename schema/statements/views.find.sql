-- $1 names
-- $2 schema
SELECT
    nspname::TEXT,
    relname::TEXT,
    ARRAY(
        SELECT attname::TEXT
        FROM pg_attribute
        WHERE attrelid = view.oid AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum
    )
FROM pg_class AS view
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'v' AND relname = ANY ($1::TEXT[]) AND EXISTS (
    SELECT
    FROM pg_rewrite
    JOIN pg_depend ON classid = 'pg_rewrite'::REGCLASS AND objid = pg_rewrite.oid
    JOIN pg_class AS read ON read.oid = refobjid AND read.relkind IN ('r', 'p')
    WHERE ev_class = view.oid
        AND refclassid = 'pg_class'::REGCLASS
        AND read.relnamespace = to_regnamespace(quote_ident($2::TEXT))
)
ORDER BY nspname, relname
