-- $1 schema
-- $2 table
SELECT to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || $2::TEXT) IS NOT NULL
