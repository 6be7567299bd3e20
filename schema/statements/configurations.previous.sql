-- $1 label
-- $2 names
SELECT
    newest.name,
    (
        SELECT document.created
        FROM (
    SELECT *
    FROM draive_pg_configuration_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS earlier
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
            ON document.name = earlier.name AND document.created = earlier.revision
        WHERE earlier.name = newest.name
            AND earlier.label = newest.label
            AND earlier.moved < newest.moved
            AND earlier.revision IS DISTINCT FROM newest.revision
        ORDER BY earlier.moved DESC
        LIMIT 1
    ),
    newest.moved,
    to_jsonb(newest) ->> 'released'
FROM (
    SELECT DISTINCT ON (name, label) * FROM (
    SELECT *
    FROM draive_pg_configuration_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move ORDER BY name, label, moved DESC
) AS newest
WHERE newest.label = $1::TEXT
    AND ($2::TEXT[] IS NULL OR newest.name = ANY ($2::TEXT[]))
ORDER BY newest.name
