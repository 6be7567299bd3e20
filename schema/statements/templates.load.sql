-- $1 name
SELECT document.content::TEXT, document.arguments::TEXT, document.created
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
) AS document
WHERE document.name = $1::TEXT
ORDER BY document.created DESC
LIMIT 1
