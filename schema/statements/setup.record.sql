-- $1 version
-- $2 name
-- $3 checksum
INSERT INTO draive_pg_migrations (version, name, checksum)
VALUES ($1::INTEGER, $2::TEXT, $3::TEXT)
ON CONFLICT (version) DO NOTHING
