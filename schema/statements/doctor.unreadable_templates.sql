-- $1 limit
SELECT count(*), min(coalesce(
    to_jsonb(inspected) ->> 'identifier',
    to_jsonb(inspected) ->> 'memories'
))
FROM (SELECT * FROM templates LIMIT $1::INTEGER) AS inspected
WHERE jsonb_typeof(variables) <> 'object' OR jsonb_typeof(meta) <> 'object' OR NOT isfinite(created)
