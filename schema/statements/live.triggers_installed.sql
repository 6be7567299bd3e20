-- $1 schema
SELECT count(*) = 2
FROM pg_trigger
WHERE tgname = 'draive_pg_notify'
    AND tgrelid IN (
        to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || 'configurations'),
        to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || 'instructions')
    )
