-- $1 identifiers
DELETE FROM draive_pg_ttl WHERE NOT is_prefix AND name = ANY ($1::TEXT[])
