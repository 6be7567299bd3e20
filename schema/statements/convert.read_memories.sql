-- $1 identifiers
SELECT identifier, to_json(created) #>> '{}', document::TEXT
FROM (
    SELECT identifier, created, ctid AS place, content AS document
    FROM memories_elements
) AS stored
WHERE identifier = ANY ($1::TEXT[])
ORDER BY identifier, stored.created, place
