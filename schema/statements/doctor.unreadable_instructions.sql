-- $1 limit
SELECT count(*), min(name::TEXT)
FROM (SELECT * FROM instructions LIMIT $1::INTEGER) AS row
WHERE jsonb_typeof(arguments) <> 'array' OR jsonb_typeof(meta) <> 'object' OR NOT isfinite(created)
