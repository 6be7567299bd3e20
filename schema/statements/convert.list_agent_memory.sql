-- $1 after
-- $2 limit
SELECT identifier, to_json(created) #>> '{}', snapshots
FROM (
    SELECT agent_uri || '#' || thread_id AS identifier, min(created) AS created, 0 AS snapshots
    FROM agent_memory
    GROUP BY agent_uri, thread_id
) AS conversation
WHERE $1::TEXT IS NULL OR identifier > $1::TEXT
ORDER BY identifier
LIMIT $2::INT8
