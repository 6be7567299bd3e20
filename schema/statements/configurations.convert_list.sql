-- $1 after
-- $2 limit
SELECT DISTINCT name
FROM (
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
WHERE $1::TEXT IS NULL OR name > $1::TEXT
ORDER BY name
LIMIT $2::INT8
