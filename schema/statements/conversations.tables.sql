-- $1 names
-- $2 schema
SELECT
    relname::TEXT,
    (
        SELECT typname::TEXT
        FROM pg_attribute
        JOIN pg_type ON pg_type.oid = atttypid
        WHERE attrelid = pg_class.oid AND attname = 'identifier' AND NOT attisdropped
    ),
    EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = pg_class.oid AND starts_with(tgname::TEXT, 'truncate_trigger_')
    )
FROM pg_class
WHERE relname = ANY ($1::TEXT[])
    AND relkind IN ('r', 'p', 'v', 'm', 'f')
    AND CASE
        WHEN $2::TEXT IS NULL THEN pg_table_is_visible(oid)
        ELSE relnamespace = to_regnamespace(quote_ident($2::TEXT))
    END
