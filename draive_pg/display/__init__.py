"""HTML and text of records, tables, diffs and transcripts, for notebooks and terminals."""
