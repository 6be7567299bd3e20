-- $1 identifiers
-- $2 prefix
-- $3 since
-- $4 until
-- $5 after
-- $6 limit
SELECT
    conversation.identifier,
    held.elements,
    held.bytes
FROM (
    SELECT identifier
    FROM memories AS conversation
    WHERE ($1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[]))
        AND 
    ($2::TEXT IS NULL OR starts_with(conversation.identifier, $2::TEXT))
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
) >= $3::TIMESTAMPTZ)
    AND ($4::TIMESTAMPTZ IS NULL OR greatest(
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
) < $4::TIMESTAMPTZ)
        AND ($5::TEXT IS NULL OR identifier > $5::TEXT)
    ORDER BY identifier
    LIMIT $6::INT8
) AS conversation
CROSS JOIN LATERAL (
    SELECT count(*) AS elements, coalesce(sum(pg_column_size(content)), 0)::INT8 AS bytes
    FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
    WHERE element.identifier = conversation.identifier
) AS held
ORDER BY conversation.identifier
