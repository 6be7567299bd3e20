-- $1 prefix
-- $2 selected_label
-- $3 as_of
-- $4 limit
WITH RECURSIVE names AS (
    (SELECT first.name FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS first ORDER BY first.name LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.name
        FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS next
        WHERE next.name > names.name
        ORDER BY next.name
        LIMIT 1
    )
    FROM names
    WHERE names.name IS NOT NULL
)
,
wanted AS (
    SELECT name FROM names WHERE $1::TEXT IS NULL OR starts_with(name, $1::TEXT)
)
SELECT * FROM (
SELECT 
    document.name,
    ((
        SELECT count(*)
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
) AS earlier
        WHERE earlier.name = document.name AND earlier.created <= document.created
    ) + (
        SELECT count(*)
        FROM (
    SELECT gone.name, gone.created
    FROM draive_pg_template_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
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
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS earlier
        WHERE earlier.name = document.name AND earlier.created <= document.created
    )) AS revision,
    document.created,
    document.content::TEXT AS content,
    document.description,
    document.arguments::TEXT AS arguments,
    document.meta::TEXT AS meta,
    note.author,
    note.message,
    ARRAY(
        SELECT move.label
        FROM (
    SELECT *
    FROM draive_pg_template_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        WHERE move.name = document.name
            AND move.revision = document.created
            AND NOT EXISTS (
                SELECT FROM (
    SELECT *
    FROM draive_pg_template_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS later
                WHERE later.name = document.name
                    AND later.label = move.label
                    AND later.moved > move.moved
            )
            AND coalesce(to_jsonb(move) ->> 'digest' = encode(sha256(
        sha256(convert_to(document.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(document.description, document.arguments::TEXT, document.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex'), TRUE)
        ORDER BY move.label
    ) AS labels,
    NOT EXISTS (
        SELECT FROM (
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
) AS later
        WHERE later.name = document.name AND later.created > document.created
    ) AS current

FROM wanted
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
    WHERE revision.name = wanted.name AND revision.created = CASE
    WHEN $2::TEXT IS NOT NULL THEN (
    SELECT labelled.created
    FROM (
        SELECT move.*
        FROM (
    SELECT *
    FROM draive_pg_template_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        WHERE move.name = wanted.name AND move.label = $2::TEXT AND ($3::TIMESTAMPTZ IS NULL OR move.moved <= $3::TIMESTAMPTZ)
        ORDER BY move.moved DESC
        LIMIT 1
    ) AS newest
    JOIN (
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
) AS labelled
        ON labelled.name = wanted.name AND labelled.created = newest.revision
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
        WHERE revision.name = wanted.name
            AND ($3::TIMESTAMPTZ IS NULL OR revision.created <= $3::TIMESTAMPTZ)
        ORDER BY revision.created DESC
        LIMIT 1
    )
END
    LIMIT 1
) AS document
LEFT JOIN draive_pg_template_revisions AS note ON note.name = document.name AND note.created = document.created
ORDER BY document.name
LIMIT $4::INT8
) AS readable
UNION ALL
SELECT
    wanted.name, NULL, NULL, unreadable.created::TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM wanted
CROSS JOIN LATERAL (
    SELECT stored.created
    FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored
    WHERE stored.name = wanted.name AND stored.created >= TIMESTAMPTZ '9999-12-30 00:00:00Z'
    UNION ALL
    SELECT stored.created
    FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored
    WHERE stored.name = wanted.name AND stored.created < TIMESTAMPTZ '0001-01-03 00:00:00Z'
) AS unreadable
ORDER BY 1, 3 DESC
