-- $1 name
SELECT
    move.name,
    move.label,
    numbered.number,
    move.revision,
    move.moved,
    move.author,
    move.message
FROM (
    SELECT DISTINCT ON (name, label) *
    FROM draive_pg_configuration_labels AS every
    WHERE $1::TEXT IS NULL OR name = $1::TEXT
    ORDER BY name, label, moved DESC
) AS move
JOIN (
    SELECT name, created, row_number() OVER (PARTITION BY name ORDER BY created) AS number
    FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS document
    WHERE $1::TEXT IS NULL OR name = $1::TEXT
) AS numbered ON numbered.name = move.name AND numbered.created = move.revision
ORDER BY move.name, move.label
