-- $1 tables
-- $2 schema
SELECT DISTINCT namespace.nspname::TEXT
FROM unnest($1::TEXT[]) AS name
JOIN pg_class AS stored
    ON stored.oid = to_regclass(coalesce(quote_ident($2::TEXT) || '.', '') || name)
JOIN pg_namespace AS namespace ON namespace.oid = stored.relnamespace
