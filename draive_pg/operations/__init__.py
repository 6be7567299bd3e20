"""What can be asked of each table, as values: SQL, parameters, decoding. Nothing here asks."""
