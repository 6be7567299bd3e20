-- $1 name
-- $2 label
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
        WHERE earlier.name = $1::TEXT
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
                WHERE labelled.name = $1::TEXT AND labelled.created = move.revision
            )
    ) AS number,
    move.revision,
    move.moved,
    move.author,
    move.message

FROM draive_pg_configuration_labels AS move
WHERE move.name = $1::TEXT AND ($2::TEXT IS NULL OR move.label = $2::TEXT)
ORDER BY move.moved DESC, move.label
