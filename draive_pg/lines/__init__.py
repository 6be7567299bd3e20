"""What differs between the releases of draive, as data and pure functions; see `line`."""
