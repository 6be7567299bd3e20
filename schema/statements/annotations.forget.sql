-- $1 identifier
DELETE FROM draive_pg_annotations AS annotation WHERE identifier = $1::TEXT
