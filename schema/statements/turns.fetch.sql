-- $1 identifier
-- $2 before
-- $3 limit
SELECT written, payload
FROM (
    SELECT created::TEXT AS written, created, identifier, payload::TEXT AS payload
    FROM conversation_memory AS turn
    WHERE thread_id = $1::TEXT
        AND ($2::UUID IS NULL OR (created, identifier) < (
            SELECT created, identifier
            FROM conversation_memory AS turn
            WHERE thread_id = $1::TEXT AND identifier = $2::UUID
        ))
    ORDER BY created DESC, identifier DESC
    LIMIT $3::INT8
) AS page
ORDER BY created, identifier
