-- $1 name
DELETE FROM templates WHERE identifier = $1::TEXT
