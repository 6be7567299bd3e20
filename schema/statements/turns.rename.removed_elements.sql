-- $1 identifier
-- $2 new_identifier
WITH moved AS (
    DELETE FROM draive_pg_removed_elements AS belonging
    WHERE identifier = $1::TEXT
        AND EXISTS (SELECT TRUE FROM conversation_memory AS turn WHERE turn.thread_id = $1::TEXT)
        AND NOT EXISTS (
            SELECT TRUE FROM (
        SELECT thread_id AS identifier, min(created) AS created
        FROM conversation_memory
        GROUP BY thread_id
    ) AS target
            WHERE target.identifier = $2::TEXT
        )
    RETURNING *
)
INSERT INTO draive_pg_removed_elements (identifier, created, action, removed, role, author, reason, content)
SELECT $2::TEXT, created, action, removed, role, author, reason, content FROM moved
