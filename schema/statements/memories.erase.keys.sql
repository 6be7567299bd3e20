-- $1 identifiers
-- $2 prefix
-- $3 variables
-- $4 meta
WITH matching AS MATERIALIZED (
    SELECT conversation.identifier
    FROM memories AS conversation
    WHERE ($1::TEXT[] IS NULL OR conversation.identifier = ANY ($1::TEXT[]))
        AND ($2::TEXT IS NULL OR starts_with(conversation.identifier, $2::TEXT))
        AND ($3::JSONB IS NULL OR EXISTS (
            SELECT FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
            WHERE snapshot.identifier = conversation.identifier
                AND snapshot.variables @> $3::JSONB
        ))
        AND ($4::JSONB IS NULL OR EXISTS (
            SELECT FROM (SELECT identifier, content -> 'meta' AS meta FROM memories_elements) AS element
            WHERE element.identifier = conversation.identifier
                AND element.meta @> $4::JSONB
        ))
)
DELETE FROM draive_pg_keys AS kept
WHERE (
    kept.identifier IN (SELECT identifier FROM matching)
    OR (
        ($1::TEXT[] IS NULL OR kept.identifier = ANY ($1::TEXT[]))
        AND ($2::TEXT IS NULL OR starts_with(kept.identifier, $2::TEXT))
        AND $3::JSONB IS NULL
        AND ($4::JSONB IS NULL OR FALSE)
    )
)
