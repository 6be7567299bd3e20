SELECT pid, usename::TEXT, application_name, backend_start
FROM pg_stat_activity
WHERE datname = current_database() AND query = 'LISTEN draive_pg'
ORDER BY backend_start, pid
