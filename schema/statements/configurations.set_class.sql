-- $1 name
-- $2 class_name
-- $3 source
SELECT set_config('draive_pg.configuration_name', $1::TEXT || E'\n' || coalesce(
    $2::TEXT,
    (
        SELECT document.class
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
        WHERE document.name = $3::TEXT
        ORDER BY document.created DESC
        LIMIT 1
    )
), TRUE)
