SELECT name, is_prefix, ttl FROM draive_pg_ttl ORDER BY is_prefix, name
