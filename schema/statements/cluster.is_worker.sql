SELECT groupid <> 0 FROM pg_catalog.pg_dist_local_group
