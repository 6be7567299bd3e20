-- $1 schema
SELECT set_config('search_path', quote_ident($1::TEXT), TRUE)
