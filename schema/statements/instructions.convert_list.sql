-- $1 after
-- $2 limit
SELECT DISTINCT name
FROM instructions AS document
WHERE $1::TEXT IS NULL OR name > $1::TEXT
ORDER BY name
LIMIT $2::INT8
