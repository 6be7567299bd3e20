-- $1 is_prefix
-- $2 name
DELETE FROM draive_pg_ttl WHERE is_prefix = $1::BOOLEAN AND name = $2::TEXT
