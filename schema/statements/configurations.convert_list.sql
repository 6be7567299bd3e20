-- $1 after
-- $2 limit
SELECT DISTINCT name
FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS document
WHERE $1::TEXT IS NULL OR name > $1::TEXT
ORDER BY name
LIMIT $2::INT8
