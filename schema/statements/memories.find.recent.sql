-- $1 since
-- $2 until
-- $3 limit
-- $4 offset
SELECT identifier FROM (
    SELECT DISTINCT ON (written.created, written.identifier) conversation.*
    FROM (
        SELECT identifier, created FROM memories AS conversation
        UNION ALL
        SELECT identifier, created FROM memories_elements AS element
        UNION ALL
        SELECT identifier, created FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    ) AS written
    CROSS JOIN LATERAL (
        SELECT identifier, created
        FROM memories AS conversation
        WHERE conversation.identifier = written.identifier
        OFFSET 0
    ) AS conversation
    WHERE written.created = greatest(
    conversation.created,
    (
        SELECT max(created) FROM memories_elements AS element
        WHERE element.identifier = conversation.identifier
    ),
    (
        SELECT max(created) FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE snapshot.identifier = conversation.identifier
    )
)
        AND ($1::TIMESTAMPTZ IS NULL OR written.created >= $1::TIMESTAMPTZ)
        AND ($2::TIMESTAMPTZ IS NULL OR written.created < $2::TIMESTAMPTZ)
    ORDER BY written.created DESC, written.identifier
    LIMIT $3::INT8
    OFFSET $4::INT8
) AS conversation
