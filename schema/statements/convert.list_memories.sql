-- $1 after
-- $2 limit
SELECT identifier, to_json(created) #>> '{}', snapshots
FROM (
    SELECT identifier, created, (
        SELECT count(*) FROM memories_variables AS snapshot
        WHERE snapshot.identifier = conversation.identifier
    ) AS snapshots
    FROM memories AS conversation
) AS conversation
WHERE $1::TEXT IS NULL OR identifier > $1::TEXT
ORDER BY identifier
LIMIT $2::INT8
