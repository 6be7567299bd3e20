-- $1 schema
SELECT
    current_setting('server_version'),
    current_setting('server_version_num')::INTEGER,
    current_setting('server_encoding'),
    current_database()::TEXT,
    current_user::TEXT,
    coalesce($1::TEXT, current_schema()::TEXT),
    pg_is_in_recovery(),
    current_setting('transaction_read_only')::BOOLEAN,
    pg_database_size(current_database()),
    to_regnamespace(quote_ident(coalesce($1::TEXT, current_schema()::TEXT))) IS NOT NULL,
    to_regclass('pg_catalog.pg_dist_local_group') IS NOT NULL
