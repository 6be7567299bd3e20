-- $1 schema
SELECT
    CASE
        WHEN $1::TEXT IS NULL THEN current_schema() IS NOT NULL
        ELSE to_regnamespace(quote_ident($1::TEXT)) IS NOT NULL
    END,
    current_setting('search_path'),
    to_regclass('pg_catalog.pg_dist_local_group') IS NOT NULL
