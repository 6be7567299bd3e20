-- $1 index
SELECT to_regclass($1::TEXT) IS NOT NULL
