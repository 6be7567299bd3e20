SELECT set_config('hnsw.iterative_scan', 'strict_order', TRUE)
