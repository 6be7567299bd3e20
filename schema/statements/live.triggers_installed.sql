-- $1 schema
-- $2 tables
SELECT bool_and(EXISTS (
    SELECT FROM pg_trigger WHERE tgname = 'draive_pg_notify' AND tgrelid = stored.oid
))
FROM (
    SELECT to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || name) AS oid
    FROM unnest($2::TEXT[]) AS name
) AS stored
WHERE stored.oid IS NOT NULL
