"""Requests by subject, as values: SQL, parameters and decoders; no I/O."""
