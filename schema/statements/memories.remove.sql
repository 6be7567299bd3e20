-- $1 identifier
WITH removed AS (
    SELECT identifier FROM memories AS conversation WHERE identifier = $1::TEXT
),
removed_conversations AS (
    DELETE FROM memories AS conversation
    USING removed WHERE conversation.identifier = removed.identifier
)
SELECT EXISTS (SELECT FROM removed)
