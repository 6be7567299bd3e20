-- $1 identifier
DELETE FROM draive_pg_keys
WHERE identifier = $1::TEXT AND expires <= now()
