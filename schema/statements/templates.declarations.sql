-- $1 before
-- $2 skipped
-- $3 limit
WITH RECURSIVE names AS (
    (
        SELECT first.name
        FROM (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS first
        WHERE $1::TEXT IS NULL OR first.name < $1::TEXT
        ORDER BY first.name DESC
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT next.name
        FROM (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS next
        WHERE next.name < names.name
        ORDER BY next.name DESC
        LIMIT 1
    )
    FROM names
    WHERE names.name IS NOT NULL
),
page AS (
    SELECT name
    FROM names
    WHERE name IS NOT NULL
    OFFSET $2::INT8
    LIMIT $3::INT8
)
SELECT document.name, document.description, document.arguments::TEXT, document.meta::TEXT
FROM page
CROSS JOIN LATERAL (
    SELECT revision.*
    FROM (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS revision
    WHERE revision.name = page.name
    ORDER BY revision.created DESC
    LIMIT 1
) AS document
ORDER BY document.name DESC
