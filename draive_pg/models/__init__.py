"""Public records, by subject."""
