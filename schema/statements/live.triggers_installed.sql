-- $1 schema
-- $2 tables
SELECT bool_and(EXISTS (
    SELECT FROM pg_trigger WHERE tgname = 'draive_pg_notify' AND tgrelid = stored.oid
))
FROM (
    SELECT name, to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || name) AS oid
    FROM unnest($2::TEXT[]) AS name
) AS stored
WHERE stored.oid IS NOT NULL
    AND (
        name <> 'templates'  -- a table of others may have this name
        OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = stored.oid AND attname = 'variables')
    )
