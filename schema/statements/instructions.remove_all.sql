-- $1 name
DELETE FROM instructions WHERE name = $1::TEXT
