-- $1 name
-- $2 class_name
-- $3 content
INSERT INTO configurations (identifier, name, content, created)
SELECT
    $1::TEXT,
    $2::TEXT,
    $3::JSONB,
    greatest(clock_timestamp(), max(document.created) + INTERVAL '1 microsecond')
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
