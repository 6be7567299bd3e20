SELECT nspname::TEXT
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relname = 'draive_pg_migrations' AND relkind IN ('r', 'p')
ORDER BY nspname
LIMIT 5
