-- $1 identifier
WITH removed AS (
    SELECT identifier FROM memories AS conversation WHERE identifier = $1::TEXT
),
removed_conversations AS (
    DELETE FROM memories AS conversation
    USING removed WHERE conversation.identifier = removed.identifier
    RETURNING conversation.identifier
),
elements_of_removed AS (
    DELETE FROM memories_elements AS element
    USING removed_conversations WHERE element.identifier = removed_conversations.identifier
),
snapshots_of_removed AS (
    DELETE FROM memories_variables AS snapshot
    USING removed_conversations WHERE snapshot.identifier = removed_conversations.identifier
)
SELECT EXISTS (SELECT FROM removed)
