-- $1 after
-- $2 limit
SELECT identifier, to_json(created) #>> '{}', snapshots
FROM (
    SELECT thread_id AS identifier, min(created) AS created, 0 AS snapshots
    FROM conversation_memory
    GROUP BY thread_id
) AS conversation
WHERE $1::TEXT IS NULL OR identifier > $1::TEXT
ORDER BY identifier
LIMIT $2::INT8
