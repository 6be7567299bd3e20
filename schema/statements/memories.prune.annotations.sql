-- $1 identifiers
DELETE FROM draive_pg_annotations WHERE identifier = ANY ($1::TEXT[])
