-- $1 names
SELECT
    0,
    document.name,
    to_json(document.created AT TIME ZONE 'UTC') #>> '{}' || 'Z',
    document.content::TEXT,
    document.description,
    document.arguments::TEXT,
    document.meta::TEXT,
    note.author,
    note.message
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
    ) AS document
LEFT JOIN draive_pg_configuration_revisions AS note ON note.name = document.name AND note.created = document.created
WHERE document.name = ANY ($1::TEXT[])
UNION ALL
SELECT
    1,
    name,
    to_json(moved AT TIME ZONE 'UTC') #>> '{}' || 'Z',
    label,
    to_json(revision AT TIME ZONE 'UTC') #>> '{}' || 'Z',
    NULL,
    NULL,
    author,
    message
FROM draive_pg_configuration_labels AS move
WHERE name = ANY ($1::TEXT[])
UNION ALL
SELECT 2, name, to_json(created AT TIME ZONE 'UTC') #>> '{}' || 'Z', NULL, NULL, NULL, NULL, NULL, NULL
FROM draive_pg_configuration_removals AS removal
WHERE name = ANY ($1::TEXT[])
ORDER BY 2, 1, 3
