-- $1 identifiers
SELECT identifier, to_json(created) #>> '{}', document::TEXT
FROM (
    SELECT DISTINCT ON (agent_uri, thread_id)
        agent_uri || '#' || thread_id AS identifier, created, 0 AS place, context AS document
    FROM agent_memory
    ORDER BY agent_uri, thread_id, created DESC, agent_memory.identifier DESC
) AS stored
WHERE identifier = ANY ($1::TEXT[])
ORDER BY identifier, stored.created, place
