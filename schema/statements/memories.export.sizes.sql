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
FROM memories AS conversation
CROSS JOIN LATERAL (
    SELECT count(*) AS elements, coalesce(sum(pg_column_size(content)), 0)::INT8 AS bytes
    FROM (
        SELECT
            identifier,
            created,
            created AS moment,
            ctid AS place,
            xmin AS writer,
            content,
            content ->> 'type' AS type,
            content -> 'meta' AS meta,
            CASE
                WHEN content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL
                THEN coalesce(content #>> '{blocks,0,type}', 'content')
            END AS kind,
            content #> '{blocks,0}' AS block,
            content AS composite
        FROM memories_elements
    ) AS element
    WHERE element.identifier = conversation.identifier
) AS held
WHERE ($1::TEXT[] IS NULL OR conversation.identifier = ANY ($1::TEXT[]))
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
    AND ($5::TEXT IS NULL OR conversation.identifier > $5::TEXT)
ORDER BY conversation.identifier
LIMIT $6::INT8
