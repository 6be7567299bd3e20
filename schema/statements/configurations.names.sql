WITH RECURSIVE names AS (
    (SELECT first.name FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS first ORDER BY first.name LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.name
        FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS next
        WHERE next.name > names.name
        ORDER BY next.name
        LIMIT 1
    )
    FROM names
    WHERE names.name IS NOT NULL
)
SELECT name FROM names WHERE name IS NOT NULL
