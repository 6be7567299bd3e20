-- $1 selected_label
-- $2 as_of
WITH RECURSIVE names AS (
    (SELECT first.name FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS first ORDER BY first.name LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.name
        FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS next
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
    FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS revision
    WHERE revision.name = names.name AND revision.created = CASE
    WHEN $1::TEXT IS NOT NULL THEN (
    SELECT labelled.created
    FROM (
        SELECT move.*
        FROM (
    SELECT *
    FROM draive_pg_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        WHERE move.name = names.name AND move.label = $1::TEXT AND ($2::TIMESTAMPTZ IS NULL OR move.moved <= $2::TIMESTAMPTZ)
        ORDER BY move.moved DESC
        LIMIT 1
    ) AS newest
    JOIN (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS labelled
        ON labelled.name = names.name AND labelled.created = newest.revision
    WHERE coalesce(to_jsonb(newest) ->> 'digest' = encode(sha256(
        sha256(convert_to(labelled.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(labelled.description, labelled.arguments::TEXT, labelled.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex'), TRUE)
)
    ELSE (
        SELECT revision.created
        FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS revision
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
