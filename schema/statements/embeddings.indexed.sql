-- $1 schema
-- $2 index
SELECT to_regclass($1::TEXT || '.draive_pg_embeddings_' || $2::TEXT) IS NOT NULL
