"""Where operations run: connections, transactions, the cache, in both colours. All that waits."""
