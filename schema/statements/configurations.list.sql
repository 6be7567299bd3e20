-- $1 selected_label
-- $2 as_of
-- $3 prefix
-- $4 limit
WITH RECURSIVE names AS (
    (SELECT first.name FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS first ORDER BY first.name LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.name
        FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS next
        WHERE next.name > names.name
        ORDER BY next.name
        LIMIT 1
    )
    FROM names
    WHERE names.name IS NOT NULL
)

SELECT 
    document.name,
    (
        SELECT count(*)
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
        WHERE earlier.name = document.name AND earlier.created <= document.created
    ) AS revision,
    document.created,
    document.content::TEXT AS content,
    document.description,
    document.arguments::TEXT AS arguments,
    document.meta::TEXT AS meta,
    note.author,
    note.message,
    ARRAY(
        SELECT move.label
        FROM draive_pg_configuration_labels AS move
        WHERE move.name = document.name
            AND move.revision = document.created
            AND NOT EXISTS (
                SELECT FROM draive_pg_configuration_labels AS later
                WHERE later.name = document.name
                    AND later.label = move.label
                    AND later.moved > move.moved
            )
        ORDER BY move.label
    ) AS labels,
    NOT EXISTS (
        SELECT FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS later
        WHERE later.name = document.name AND later.created > document.created
    ) AS current

FROM names
CROSS JOIN LATERAL (
    SELECT revision.*
    FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS revision
    WHERE revision.name = names.name AND revision.created = CASE
    WHEN $1::TEXT IS NOT NULL THEN (
        SELECT move.revision
        FROM draive_pg_configuration_labels AS move
        WHERE move.name = names.name
            AND move.label = $1::TEXT
            AND ($2::TIMESTAMPTZ IS NULL OR move.moved <= $2::TIMESTAMPTZ)
        ORDER BY move.moved DESC
        LIMIT 1
    )
    ELSE (
        SELECT revision.created
        FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS revision
        WHERE revision.name = names.name
            AND ($2::TIMESTAMPTZ IS NULL OR revision.created <= $2::TIMESTAMPTZ)
        ORDER BY revision.created DESC
        LIMIT 1
    )
END
    LIMIT 1
) AS document
LEFT JOIN draive_pg_configuration_revisions AS note ON note.name = document.name AND note.created = document.created
WHERE $3::TEXT IS NULL OR starts_with(names.name, $3::TEXT)
ORDER BY document.name
LIMIT $4::INT8
