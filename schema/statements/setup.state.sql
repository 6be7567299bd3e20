-- $1 schema
SELECT
    $1::TEXT IS NULL OR to_regnamespace(quote_ident($1::TEXT)) IS NOT NULL,
    current_setting('search_path')
