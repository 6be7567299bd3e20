-- $1 limit
SELECT count(*), min(coalesce(
    to_jsonb(inspected) ->> 'identifier',
    to_jsonb(inspected) ->> 'memories'
))
FROM (SELECT * FROM memories_elements LIMIT $1::INTEGER) AS inspected
WHERE (content ->> 'type' IN ('model_input', 'model_output')) IS NOT TRUE OR NOT isfinite(created)
