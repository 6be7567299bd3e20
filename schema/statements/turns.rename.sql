-- $1 new_identifier
-- $2 identifier
WITH copied AS (
    INSERT INTO conversation_memory (thread_id, identifier, turn, payload, created)
    SELECT $1::TEXT, identifier, turn, payload, created
    FROM conversation_memory AS turn
    WHERE thread_id = $2::TEXT
        AND NOT EXISTS (
            SELECT FROM (
        SELECT thread_id AS identifier, min(created) AS created
        FROM conversation_memory
        GROUP BY thread_id
    ) AS target WHERE target.identifier = $1::TEXT
        )
    RETURNING TRUE
),
removed AS (
    DELETE FROM conversation_memory AS turn
    WHERE thread_id = $2::TEXT AND EXISTS (SELECT FROM copied)
)
SELECT
    EXISTS (SELECT FROM conversation_memory AS turn WHERE thread_id = $2::TEXT) AS existed,
    EXISTS (SELECT FROM copied) AS created,
    EXISTS (
        SELECT FROM (
        SELECT thread_id AS identifier, min(created) AS created
        FROM conversation_memory
        GROUP BY thread_id
    ) AS conversation
        WHERE conversation.identifier = $2::TEXT
    ) AS listed
