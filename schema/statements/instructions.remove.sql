-- $1 selected_number
-- $2 name
-- $3 selected_created
-- $4 selected_label
-- $5 as_of
-- $6 expected_number
-- $7 expected_created
-- $8 labelled
-- $9 whole
WITH selected AS (
    SELECT CASE
    WHEN $1::INT8 IS NOT NULL THEN (
        SELECT revision.created
        FROM (
    SELECT kept.name, kept.created, TRUE AS kept FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS kept
    UNION ALL
    SELECT removed.name, removed.created, FALSE FROM (
    SELECT gone.name, gone.created
    FROM draive_pg_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS removed
) AS revision
        WHERE revision.name = $2::TEXT
        ORDER BY revision.created
        OFFSET $1::INT8 - 1
        LIMIT 1
    )
    WHEN $3::TIMESTAMPTZ IS NOT NULL THEN $3::TIMESTAMPTZ
    ELSE CASE
    WHEN $4::TEXT IS NOT NULL THEN (
    SELECT labelled.created
    FROM (
        SELECT move.*
        FROM (
    SELECT *
    FROM draive_pg_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        WHERE move.name = $2::TEXT AND move.label = $4::TEXT AND ($5::TIMESTAMPTZ IS NULL OR move.moved <= $5::TIMESTAMPTZ)
        ORDER BY move.moved DESC
        LIMIT 1
    ) AS newest
    JOIN (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS labelled
        ON labelled.name = $2::TEXT AND labelled.created = newest.revision
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
        WHERE revision.name = $2::TEXT
            AND ($5::TIMESTAMPTZ IS NULL OR revision.created <= $5::TIMESTAMPTZ)
        ORDER BY revision.created DESC
        LIMIT 1
    )
END
END AS created
),
latest AS (
    SELECT
        max(document.created) AS created,
        ((
        SELECT count(*)
        FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS earlier
        WHERE earlier.name = $2::TEXT AND earlier.created <= max(document.created)
    ) + (
        SELECT count(*)
        FROM (
    SELECT gone.name, gone.created
    FROM draive_pg_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS earlier
        WHERE earlier.name = $2::TEXT AND earlier.created <= max(document.created)
    )) AS number
    FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS document
    WHERE document.name = $2::TEXT
),
checked AS (
    SELECT
        (
            ($6::INT8 IS NULL OR latest.number = $6::INT8)
            AND (
                $7::TIMESTAMPTZ IS NULL
                OR latest.created IS NOT DISTINCT FROM $7::TIMESTAMPTZ
            )
        ) AS expected,
        latest.*,
        ARRAY(
            SELECT move.label
            FROM (
    SELECT DISTINCT ON (name, label) * FROM (
    SELECT *
    FROM draive_pg_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move ORDER BY name, label, moved DESC
) AS move
            JOIN (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS labelled
                ON labelled.name = $2::TEXT AND labelled.created = move.revision
            WHERE move.name = $2::TEXT
                AND NOT $8::BOOLEAN
                AND ($9::BOOLEAN OR move.revision = selected.created)
            ORDER BY move.label
        ) AS labels
    FROM selected, latest
),
removed AS (
    DELETE FROM instructions
    WHERE name = $2::TEXT
        AND ($9::BOOLEAN OR created = (SELECT created FROM selected))
        AND (SELECT expected AND labels = ARRAY[]::TEXT[] FROM checked)
    RETURNING name
)
SELECT
    checked.expected,
    checked.labels,
    checked.created,
    checked.number,
    (SELECT count(*) FROM removed)
FROM checked
