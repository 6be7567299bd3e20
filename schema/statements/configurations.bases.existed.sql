-- $1 names
-- $2 times
SELECT wanted.name
FROM unnest($1::TEXT[], $2::TIMESTAMPTZ[]) AS wanted (name, created)
WHERE EXISTS (
    SELECT FROM (
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
) AS revision
    WHERE revision.name = wanted.name AND revision.created = wanted.created
)
