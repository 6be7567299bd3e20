-- $1 limit
SELECT count(*), min(identifier::TEXT)
FROM (SELECT * FROM memories_elements LIMIT $1::INTEGER) AS row
WHERE (content ->> 'type' IN ('model_input', 'model_output')) IS NOT TRUE OR NOT isfinite(created)
