-- $1 limit
SELECT count(*), min(identifier::TEXT)
FROM (SELECT * FROM configurations LIMIT $1::INTEGER) AS row
WHERE jsonb_typeof(content) <> 'object' OR NOT isfinite(created)
