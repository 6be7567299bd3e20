-- $1 text
-- $2 selected_label
-- $3 current
-- $4 as_of
-- $5 meta
-- $6 since
-- $7 until
-- $8 author
-- $9 limit
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
    ((
        SELECT count(*)
        FROM (
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
) AS earlier
        WHERE earlier.name = document.name AND earlier.created <= document.created
    ) + (
        SELECT count(*)
        FROM (
    SELECT gone.name, gone.created
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
    SELECT every.*
    FROM (
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
) AS every
    WHERE $1::TEXT IS NULL AND $2::TEXT IS NULL AND NOT $3::BOOLEAN
    UNION ALL
    SELECT every.*
    FROM (
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
) AS every
    WHERE $2::TEXT IS NULL
        AND NOT $3::BOOLEAN
        AND ((octet_length(every.name) < 200000 AND CASE WHEN octet_length(every.name) >= 200000 THEN 'NOT INDEXED' ELSE lower(every.name) END LIKE '%' || regexp_replace(lower($1::TEXT), E'([%_\\\\])', E'\\\\\\1', 'g') || '%')
        OR (
            octet_length(every.name) >= 200000
            AND CASE WHEN octet_length(every.name) >= 200000 THEN 'NOT INDEXED' ELSE lower(every.name) END = 'NOT INDEXED'
            AND CASE
            WHEN octet_length(every.name) < 20000000
                THEN position(lower($1::TEXT) IN lower(every.name)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(every.name), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(every.name, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END
        ) OR (octet_length(every.content::TEXT) < 200000 AND CASE WHEN octet_length(every.content::TEXT) >= 200000 THEN 'NOT INDEXED' ELSE lower(every.content::TEXT) END LIKE '%' || regexp_replace(lower($1::TEXT), E'([%_\\\\])', E'\\\\\\1', 'g') || '%')
        OR (
            octet_length(every.content::TEXT) >= 200000
            AND CASE WHEN octet_length(every.content::TEXT) >= 200000 THEN 'NOT INDEXED' ELSE lower(every.content::TEXT) END = 'NOT INDEXED'
            AND CASE
            WHEN octet_length(every.content::TEXT) < 20000000
                THEN position(lower($1::TEXT) IN lower(every.content::TEXT)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(every.content::TEXT), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(every.content::TEXT, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END
        ) OR (octet_length(every.description) < 200000 AND CASE WHEN octet_length(every.description) >= 200000 THEN 'NOT INDEXED' ELSE lower(every.description) END LIKE '%' || regexp_replace(lower($1::TEXT), E'([%_\\\\])', E'\\\\\\1', 'g') || '%')
        OR (
            octet_length(every.description) >= 200000
            AND CASE WHEN octet_length(every.description) >= 200000 THEN 'NOT INDEXED' ELSE lower(every.description) END = 'NOT INDEXED'
            AND CASE
            WHEN octet_length(every.description) < 20000000
                THEN position(lower($1::TEXT) IN lower(every.description)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(every.description), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(every.description, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END
        ))
    UNION ALL
    SELECT every.*
    FROM draive_pg_configuration_revisions AS note
    CROSS JOIN LATERAL (
        SELECT noted.*
        FROM (
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
) AS noted
        WHERE noted.name = note.name AND noted.created = note.created
        LIMIT 1
    ) AS every
    WHERE $2::TEXT IS NULL
        AND NOT $3::BOOLEAN
        AND ((octet_length(note.message) < 200000 AND CASE WHEN octet_length(note.message) >= 200000 THEN 'NOT INDEXED' ELSE lower(note.message) END LIKE '%' || regexp_replace(lower($1::TEXT), E'([%_\\\\])', E'\\\\\\1', 'g') || '%')
        OR (
            octet_length(note.message) >= 200000
            AND CASE WHEN octet_length(note.message) >= 200000 THEN 'NOT INDEXED' ELSE lower(note.message) END = 'NOT INDEXED'
            AND CASE
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
        ))
        AND (CASE
            WHEN octet_length(every.name) < 20000000
                THEN position(lower($1::TEXT) IN lower(every.name)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(every.name), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(every.name, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END OR CASE
            WHEN octet_length(every.content::TEXT) < 20000000
                THEN position(lower($1::TEXT) IN lower(every.content::TEXT)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(every.content::TEXT), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(every.content::TEXT, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END OR CASE
            WHEN octet_length(every.description) < 20000000
                THEN position(lower($1::TEXT) IN lower(every.description)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(every.description), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(every.description, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END) IS NOT TRUE
    UNION ALL
    SELECT chosen.*
    FROM wanted
    CROSS JOIN LATERAL (
        SELECT revision.*
        FROM (
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
) AS revision
        LEFT JOIN draive_pg_configuration_revisions AS note
            ON note.name = revision.name AND note.created = revision.created
        WHERE revision.name = wanted.name
            AND revision.created = CASE
    WHEN $2::TEXT IS NOT NULL THEN (
    SELECT labelled.created
    FROM (
        SELECT move.*
        FROM (
    SELECT *
    FROM draive_pg_configuration_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        WHERE move.name = wanted.name AND move.label = $2::TEXT AND ($4::TIMESTAMPTZ IS NULL OR move.moved <= $4::TIMESTAMPTZ)
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
) AS revision
        WHERE revision.name = wanted.name
            AND ($4::TIMESTAMPTZ IS NULL OR revision.created <= $4::TIMESTAMPTZ)
        ORDER BY revision.created DESC
        LIMIT 1
    )
END
            AND (
                NOT $3::BOOLEAN
                OR NOT EXISTS (
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
                    WHERE later.name = revision.name AND later.created > revision.created
                )
            )
            AND (
                $1::TEXT IS NULL
                OR CASE
            WHEN octet_length(revision.name) < 20000000
                THEN position(lower($1::TEXT) IN lower(revision.name)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(revision.name), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(revision.name, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END OR CASE
            WHEN octet_length(revision.content::TEXT) < 20000000
                THEN position(lower($1::TEXT) IN lower(revision.content::TEXT)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(revision.content::TEXT), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(revision.content::TEXT, start, 20000000 + length($1::TEXT)))
                ) > 0
            )
        END OR CASE
            WHEN octet_length(revision.description) < 20000000
                THEN position(lower($1::TEXT) IN lower(revision.description)) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length(revision.description), 20000000) AS start
                WHERE position(
                    lower($1::TEXT)
                    IN lower(substr(revision.description, start, 20000000 + length($1::TEXT)))
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
    ) AS chosen
    WHERE $2::TEXT IS NOT NULL OR $3::BOOLEAN
) AS document
LEFT JOIN draive_pg_configuration_revisions AS note ON note.name = document.name AND note.created = document.created
WHERE ($5::JSONB IS NULL OR document.meta @> $5::JSONB)
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
