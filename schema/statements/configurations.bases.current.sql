-- $1 documents
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
,
based AS (
    (
        SELECT first.name
        FROM draive_pg_folder_bases AS first
        WHERE first.documents = $1::TEXT
        ORDER BY first.name
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT next.name
        FROM draive_pg_folder_bases AS next
        WHERE next.documents = $1::TEXT AND next.name > based.name
        ORDER BY next.name
        LIMIT 1
    )
    FROM based
    WHERE based.name IS NOT NULL
)
SELECT
    every.name,
    newest.created,
    coalesce(base.revision = newest.created AND base.stored = encode(sha256(
        sha256(convert_to(newest.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(newest.description, newest.arguments::TEXT, newest.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex'), FALSE),
    base.revision,
    base.digest,
    base.labels::TEXT,
    base.number IS NOT NULL,
    unreadable.created::TEXT
FROM (SELECT name FROM names UNION SELECT name FROM based) AS every
LEFT JOIN LATERAL (
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
    WHERE revision.name = every.name
    ORDER BY revision.created DESC
    LIMIT 1
) AS newest ON TRUE
LEFT JOIN LATERAL (
    SELECT stored.*
    FROM draive_pg_folder_bases AS stored
    WHERE stored.documents = $1::TEXT AND stored.name = every.name
    ORDER BY stored.number DESC
    LIMIT 1
) AS base ON TRUE
LEFT JOIN LATERAL (
    (
        SELECT late.created
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
    ) AS late
        WHERE late.name = every.name AND late.created >= TIMESTAMPTZ '9999-12-30 00:00:00Z'
    )
    UNION ALL
    (
        SELECT early.created
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
    ) AS early
        WHERE early.name = every.name AND early.created < TIMESTAMPTZ '0001-01-03 00:00:00Z'
    )
    LIMIT 1
) AS unreadable ON TRUE
WHERE newest.created IS NOT NULL
    OR base.digest IS NOT NULL
    OR unreadable.created IS NOT NULL
ORDER BY every.name
