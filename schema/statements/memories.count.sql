-- $1 prefix
-- $2 since
-- $3 until
-- $4 variables
-- $5 meta
SELECT count(*) FROM memories AS conversation
WHERE
    ($1::TEXT IS NULL OR starts_with(conversation.identifier, $1::TEXT))
    AND ($2::TIMESTAMPTZ IS NULL OR greatest(
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
) >= $2::TIMESTAMPTZ)
    AND ($3::TIMESTAMPTZ IS NULL OR greatest(
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
) < $3::TIMESTAMPTZ)
    AND ($4::JSONB IS NULL OR (
        SELECT variables @> $4::JSONB
        FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE snapshot.identifier = conversation.identifier
        ORDER BY created DESC, place DESC
        LIMIT 1
    ))
    AND ($5::JSONB IS NULL OR EXISTS (
        SELECT FROM (SELECT identifier, content -> 'meta' AS meta FROM memories_elements) AS element
        WHERE element.identifier = conversation.identifier AND element.meta @> $5::JSONB
    ))
