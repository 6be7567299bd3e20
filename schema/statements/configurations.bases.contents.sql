-- $1 names
-- $2 times
SELECT
    document.name,
    0 AS revision,
    document.created,
    document.content::TEXT AS content,
    document.description,
    document.arguments::TEXT AS arguments,
    document.meta::TEXT AS meta,
    NULL::TEXT AS author,
    NULL::TEXT AS message,
    ARRAY[]::TEXT[] AS labels,
    TRUE AS current
FROM unnest($1::TEXT[], $2::TIMESTAMPTZ[]) AS wanted (name, created)
JOIN (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS document
    ON document.name = wanted.name AND document.created = wanted.created
