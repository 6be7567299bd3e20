-- $1 identifiers
-- $2 prefix
-- $3 after
-- $4 limit
SELECT
    conversation.identifier,
    held.elements,
    held.bytes
FROM (
    SELECT identifier
    FROM memories AS conversation
    WHERE ($1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[]))
        AND ($2::TEXT IS NULL OR starts_with(identifier, $2::TEXT))
        AND ($3::TEXT IS NULL OR identifier > $3::TEXT)
    ORDER BY identifier
    LIMIT $4::INT8
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
