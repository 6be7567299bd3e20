-- $1 identifiers
SELECT identifier, to_json(created) #>> '{}', document::TEXT
FROM (
    SELECT thread_id AS identifier, created, identifier AS place, payload AS document
    FROM conversation_memory
) AS stored
WHERE identifier = ANY ($1::TEXT[])
ORDER BY identifier, stored.created, place
