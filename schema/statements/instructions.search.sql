-- $1 selected_label
-- $2 current
-- $3 as_of
-- $4 text
-- $5 meta
-- $6 since
-- $7 until
-- $8 author
-- $9 limit
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
, wanted AS (SELECT name FROM names)
SELECT * FROM (
SELECT 
    document.name,
    (
        SELECT count(*)
        FROM (
    SELECT kept.name, kept.created, TRUE AS kept FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS kept
    UNION ALL
    SELECT gone.name, gone.created, FALSE
    FROM draive_pg_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS earlier
        WHERE earlier.name = document.name AND earlier.created <= document.created
    ) AS revision,
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
    FROM draive_pg_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        WHERE move.name = document.name
            AND move.revision = document.created
            AND NOT EXISTS (
                SELECT FROM (
    SELECT *
    FROM draive_pg_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS later
                WHERE later.name = document.name
                    AND later.label = move.label
                    AND later.moved > move.moved
            )
            AND CASE WHEN to_jsonb(move) ->> 'digest' IS NULL THEN TRUE ELSE to_jsonb(move) ->> 'digest' = encode(sha256(
        sha256(convert_to(document.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(document.description, document.arguments::TEXT, document.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex') END
        ORDER BY move.label
    ) AS labels,
    NOT EXISTS (
        SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS later
        WHERE later.name = document.name AND later.created > document.created
    ) AS current

FROM (
    SELECT every.*
    FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS every
    WHERE $1::TEXT IS NULL AND NOT $2::BOOLEAN
    UNION ALL
    SELECT chosen.*
    FROM wanted
    CROSS JOIN LATERAL (
        SELECT revision.*
        FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS revision
        WHERE revision.name = wanted.name
            AND revision.created = CASE
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
        WHERE move.name = wanted.name AND move.label = $1::TEXT AND ($3::TIMESTAMPTZ IS NULL OR move.moved <= $3::TIMESTAMPTZ)
        ORDER BY move.moved DESC
        LIMIT 1
    ) AS newest
    JOIN (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS labelled
        ON labelled.name = wanted.name AND labelled.created = newest.revision
    WHERE CASE WHEN to_jsonb(newest) ->> 'digest' IS NULL THEN TRUE ELSE to_jsonb(newest) ->> 'digest' = encode(sha256(
        sha256(convert_to(labelled.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(labelled.description, labelled.arguments::TEXT, labelled.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex') END
)
    ELSE (
        SELECT revision.created
        FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS revision
        WHERE revision.name = wanted.name
            AND ($3::TIMESTAMPTZ IS NULL OR revision.created <= $3::TIMESTAMPTZ)
        ORDER BY revision.created DESC
        LIMIT 1
    )
END
            AND (
                NOT $2::BOOLEAN
                OR NOT EXISTS (
                    SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS later
                    WHERE later.name = revision.name AND later.created > revision.created
                )
            )
    ) AS chosen
    WHERE $1::TEXT IS NOT NULL OR $2::BOOLEAN
) AS document
LEFT JOIN draive_pg_revisions AS note ON note.name = document.name AND note.created = document.created
WHERE (
        $4::TEXT IS NULL
        OR CASE
            WHEN octet_length(document.name) < 20000000
                THEN position(lower($4::TEXT) IN lower(document.name)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(document.name), 20000000) AS start
                WHERE position(
                    lower($4::TEXT)
                    IN lower(substr(document.name, start, 20000000 + length($4::TEXT)))
                ) > 0
            )
        END
        OR CASE
            WHEN octet_length(document.content::TEXT) < 20000000
                THEN position(lower($4::TEXT) IN lower(document.content::TEXT)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(document.content::TEXT), 20000000) AS start
                WHERE position(
                    lower($4::TEXT)
                    IN lower(substr(document.content::TEXT, start, 20000000 + length($4::TEXT)))
                ) > 0
            )
        END
        OR CASE
            WHEN octet_length(document.description) < 20000000
                THEN position(lower($4::TEXT) IN lower(document.description)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(document.description), 20000000) AS start
                WHERE position(
                    lower($4::TEXT)
                    IN lower(substr(document.description, start, 20000000 + length($4::TEXT)))
                ) > 0
            )
        END
        OR CASE
            WHEN octet_length(note.message) < 20000000
                THEN position(lower($4::TEXT) IN lower(note.message)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(note.message), 20000000) AS start
                WHERE position(
                    lower($4::TEXT)
                    IN lower(substr(note.message, start, 20000000 + length($4::TEXT)))
                ) > 0
            )
        END
    )
    AND ($5::JSONB IS NULL OR document.meta @> $5::JSONB)
    AND ($6::TIMESTAMPTZ IS NULL OR document.created >= $6::TIMESTAMPTZ)
    AND ($7::TIMESTAMPTZ IS NULL OR document.created < $7::TIMESTAMPTZ)
    AND ($8::TEXT IS NULL OR note.author = $8::TEXT)
ORDER BY document.name, document.created DESC
LIMIT $9::INT8
) AS readable
UNION ALL
SELECT
    wanted.name, NULL, NULL, unreadable.created::TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM wanted
CROSS JOIN LATERAL (
    SELECT stored.created
    FROM instructions AS stored
    WHERE stored.name = wanted.name AND stored.created >= TIMESTAMPTZ '9999-12-30 00:00:00Z'
    UNION ALL
    SELECT stored.created
    FROM instructions AS stored
    WHERE stored.name = wanted.name AND stored.created < TIMESTAMPTZ '0001-01-03 00:00:00Z'
) AS unreadable
ORDER BY 1, 3 DESC
