-- $1 name
DELETE FROM configurations WHERE identifier = $1::TEXT
