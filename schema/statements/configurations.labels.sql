-- $1 name
SELECT 
    move.name,
    move.label,
    (
        SELECT nullif(count(*), 0)
        FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS earlier
        WHERE earlier.name = move.name
            AND earlier.created <= move.revision
            AND EXISTS (
                SELECT FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS labelled
                WHERE labelled.name = move.name AND labelled.created = move.revision
            )
    ) AS number,
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
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS labelled
    ON labelled.name = move.name AND labelled.created = move.revision
ORDER BY move.name, move.label
