-- $1 limit
SELECT count(*), min(identifier::TEXT)
FROM (SELECT * FROM memories_variables LIMIT $1::INTEGER) AS row
WHERE jsonb_typeof(variables) <> 'object' OR NOT isfinite(created)
