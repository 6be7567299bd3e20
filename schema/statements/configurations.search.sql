-- $1 text
-- $2 meta
-- $3 since
-- $4 until
-- $5 author
-- $6 label
-- $7 current
-- $8 limit
WITH RECURSIVE names AS (
    (SELECT first.name FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS first ORDER BY first.name LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.name
        FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS next
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
    numbered.revision AS revision,
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
    FROM draive_pg_configuration_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        WHERE move.name = document.name
            AND move.revision = document.created
            AND NOT EXISTS (
                SELECT FROM (
    SELECT *
    FROM draive_pg_configuration_labels AS stored
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
    SELECT * FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS later
        WHERE later.name = document.name AND later.created > document.created
    ) AS current

FROM (
    SELECT
        name,
        created,
        row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
        created = max(created) FILTER (WHERE kept) OVER (PARTITION BY name) AS current
    FROM (
    SELECT kept.name, kept.created, TRUE AS kept FROM (
    SELECT * FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS kept
    UNION ALL
    SELECT gone.name, gone.created, FALSE
    FROM draive_pg_configuration_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
    SELECT * FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS revision) AS numbered
JOIN (
    SELECT * FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS document
    ON document.name = numbered.name AND document.created = numbered.created
LEFT JOIN draive_pg_configuration_revisions AS note ON note.name = document.name AND note.created = document.created
WHERE (
        $1::TEXT IS NULL
        OR CASE
            WHEN octet_length(document.name) < 20000000
                THEN position(lower($1::TEXT) IN lower(document.name)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(document.name), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(document.name, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END
        OR CASE
            WHEN octet_length(document.content::TEXT) < 20000000
                THEN position(lower($1::TEXT) IN lower(document.content::TEXT)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(document.content::TEXT), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(document.content::TEXT, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END
        OR CASE
            WHEN octet_length(document.description) < 20000000
                THEN position(lower($1::TEXT) IN lower(document.description)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(document.description), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(document.description, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END
        OR CASE
            WHEN octet_length(note.message) < 20000000
                THEN position(lower($1::TEXT) IN lower(note.message)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(note.message), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(note.message, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END
    )
    AND ($2::JSONB IS NULL OR document.meta @> $2::JSONB)
    AND ($3::TIMESTAMPTZ IS NULL OR document.created >= $3::TIMESTAMPTZ)
    AND ($4::TIMESTAMPTZ IS NULL OR document.created < $4::TIMESTAMPTZ)
    AND ($5::TEXT IS NULL OR note.author = $5::TEXT)
    AND (
        $6::TEXT IS NULL
        OR document.created = (
    SELECT labelled.created
    FROM (
        SELECT move.*
        FROM (
    SELECT *
    FROM draive_pg_configuration_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        WHERE move.name = document.name AND move.label = $6::TEXT AND TRUE
        ORDER BY move.moved DESC
        LIMIT 1
    ) AS newest
    JOIN (
    SELECT * FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS labelled
        ON labelled.name = document.name AND labelled.created = newest.revision
    WHERE CASE WHEN to_jsonb(newest) ->> 'digest' IS NULL THEN TRUE ELSE to_jsonb(newest) ->> 'digest' = encode(sha256(
        sha256(convert_to(labelled.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(labelled.description, labelled.arguments::TEXT, labelled.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex') END
)
    )
    AND (numbered.current OR NOT $7::BOOLEAN)
ORDER BY document.name, document.created DESC
LIMIT $8::INT8
) AS readable
UNION ALL
SELECT
    wanted.name, NULL, NULL, unreadable.created::TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM wanted
CROSS JOIN LATERAL (
    SELECT stored.created
    FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored
    WHERE stored.name = wanted.name AND stored.created >= TIMESTAMPTZ '9999-12-30 00:00:00Z'
    UNION ALL
    SELECT stored.created
    FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored
    WHERE stored.name = wanted.name AND stored.created < TIMESTAMPTZ '0001-01-03 00:00:00Z'
) AS unreadable
ORDER BY 1, 3 DESC
