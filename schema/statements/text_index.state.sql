-- $1 schema
-- $2 table
-- $3 index
-- $4 extension
SELECT
    (
        SELECT relkind = 'p'
        FROM pg_class
        WHERE oid = to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || $2::TEXT)
    ) AS partitioned,
    (
        SELECT indisvalid
        FROM pg_index
        WHERE indexrelid = to_regclass(
            coalesce(quote_ident($1::TEXT) || '.', '') || quote_ident($3::TEXT)
        )
    ) AS valid,
    (
        SELECT quote_ident(nspname)
        FROM pg_extension
        JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = $4::TEXT
    ) AS extension_schema
