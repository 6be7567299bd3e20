-- $1 schema
SELECT
    to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || 'draive_pg_labels') IS NOT NULL
