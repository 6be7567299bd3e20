-- $1 name
SELECT document.content::TEXT, document.arguments::TEXT
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
WHERE document.name = $1::TEXT
ORDER BY document.created DESC
LIMIT 1
