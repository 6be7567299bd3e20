SELECT version, name, checksum, applied FROM draive_pg_migrations
