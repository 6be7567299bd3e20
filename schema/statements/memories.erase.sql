-- $1 identifiers
-- $2 prefix
-- $3 variables
-- $4 meta
WITH matching AS (
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
),
counted AS MATERIALIZED (
SELECT
    coalesce((SELECT array_agg(identifier ORDER BY identifier) FROM matching), '{}')
        AS identifiers,
    (
        SELECT count(*) FROM matching
        JOIN (
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
    ) AS element ON element.identifier = matching.identifier
    ) AS elements,
    (
        SELECT count(*) FROM matching
        JOIN (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot ON snapshot.identifier = matching.identifier
    ) AS variables
),
removed AS (SELECT identifier FROM matching),
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
SELECT * FROM counted
