-- $1 prefix
-- $2 before
-- $3 age
-- $4 keep
SELECT
    identifier,
    (extract(EPOCH FROM CASE WHEN isfinite(last) THEN last END) * 1000000)::INT8
FROM (
    SELECT identifier, last, row_number() OVER (ORDER BY last DESC, identifier DESC) AS rank
    FROM (
        SELECT conversation.identifier, greatest(
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
) AS last
        FROM memories AS conversation
        WHERE $1::TEXT IS NULL OR starts_with(conversation.identifier, $1::TEXT)
    ) AS aged
) AS conversation
WHERE isfinite(last)
    AND ($2::TIMESTAMPTZ IS NULL OR last < $2::TIMESTAMPTZ)
    AND ($3::INTERVAL IS NULL OR last < now() - $3::INTERVAL)
    AND ($4::INT8 IS NULL OR rank > $4::INT8)
ORDER BY last, identifier
