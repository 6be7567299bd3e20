-- $1 is_prefix
-- $2 name
-- $3 ttl
INSERT INTO draive_pg_ttl (is_prefix, name, ttl)
VALUES ($1::BOOLEAN, $2::TEXT, $3::INTERVAL)
