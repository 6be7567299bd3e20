-- $1 name
-- $2 content
-- $3 description
-- $4 arguments
-- $5 meta
INSERT INTO configurations (identifier, created, content)
SELECT name, created, content
FROM (
    SELECT
        $1::TEXT AS name,
        greatest(clock_timestamp(), max(document.created) + INTERVAL '1 microsecond') AS created,
        $2::JSONB AS content,
        $3::TEXT AS description,
        $4::JSONB AS arguments,
        $5::JSONB AS meta
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
) AS document
    WHERE document.name = $1::TEXT
) AS revision
