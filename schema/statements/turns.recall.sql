-- $1 identifier
-- $2 limit
SELECT written, payload
FROM (
    SELECT created::TEXT AS written, created, identifier, payload::TEXT AS payload
    FROM conversation_memory AS turn
    WHERE thread_id = $1::TEXT
    ORDER BY created DESC, identifier DESC
    LIMIT CASE WHEN $2::INT8 IS NOT NULL THEN greatest($2::INT8, (
        SELECT number
        FROM (
            SELECT turn, row_number() OVER (ORDER BY created DESC, identifier DESC) AS number
            FROM conversation_memory AS turn
            WHERE thread_id = $1::TEXT
        ) AS backward
        WHERE turn = 'user'
        LIMIT 1
    )) END
) AS recalled
ORDER BY created, identifier
