-- $1 tables
-- $2 schema
SELECT name
FROM unnest($1::TEXT[]) AS name
WHERE to_regclass(coalesce(quote_ident($2::TEXT) || '.', '') || name) IS NULL
