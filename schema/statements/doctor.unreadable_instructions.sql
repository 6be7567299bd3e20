-- $1 limit
SELECT count(*), min(coalesce(
    to_jsonb(inspected) ->> 'name',
    to_jsonb(inspected) ->> 'memories'
))
FROM (SELECT * FROM instructions LIMIT $1::INTEGER) AS inspected
WHERE jsonb_typeof(arguments) <> 'array' OR jsonb_typeof(meta) <> 'object' OR NOT isfinite(created)
