-- $1 schema
SELECT relname::TEXT, citus_total_relation_size(logicalrelid)
FROM pg_catalog.pg_dist_partition
JOIN pg_class ON pg_class.oid = logicalrelid
WHERE relnamespace = to_regnamespace(quote_ident($1::TEXT))
