-- $1 selected_label
-- $2 as_of
WITH RECURSIVE names AS (
    (SELECT first.name FROM instructions AS first ORDER BY first.name LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.name
        FROM instructions AS next
        WHERE next.name > names.name
        ORDER BY next.name
        LIMIT 1
    )
    FROM names
    WHERE names.name IS NOT NULL
)

SELECT document.name, document.description, document.arguments::TEXT, document.meta::TEXT
FROM names
CROSS JOIN LATERAL (
    SELECT revision.*
    FROM instructions AS revision
    WHERE revision.name = names.name AND revision.created = CASE
    WHEN $1::TEXT IS NOT NULL THEN (
        SELECT move.revision
        FROM draive_pg_labels AS move
        WHERE move.name = names.name
            AND move.label = $1::TEXT
            AND ($2::TIMESTAMPTZ IS NULL OR move.moved <= $2::TIMESTAMPTZ)
        ORDER BY move.moved DESC
        LIMIT 1
    )
    ELSE (
        SELECT revision.created
        FROM instructions AS revision
        WHERE revision.name = names.name
            AND ($2::TIMESTAMPTZ IS NULL OR revision.created <= $2::TIMESTAMPTZ)
        ORDER BY revision.created DESC
        LIMIT 1
    )
END
    ORDER BY revision.created DESC
    LIMIT 1
) AS document
ORDER BY document.name
