-- $1 limit
SELECT count(*), min(coalesce(
    to_jsonb(inspected) ->> 'identifier',
    to_jsonb(inspected) ->> 'memories'
))
FROM (SELECT * FROM configurations LIMIT $1::INTEGER) AS inspected
WHERE jsonb_typeof(content) <> 'object' OR NOT isfinite(created)
