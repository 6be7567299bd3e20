-- $1 name
-- $2 selected_number
-- $3 selected_created
-- $4 selected_label
-- $5 as_of
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
        WHERE earlier.name = $1::TEXT AND earlier.created <= document.created
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
        WHERE move.name = $1::TEXT
            AND move.revision = document.created
            AND NOT EXISTS (
                SELECT FROM draive_pg_configuration_labels AS later
                WHERE later.name = $1::TEXT
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
        WHERE later.name = $1::TEXT AND later.created > document.created
    ) AS current

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
LEFT JOIN draive_pg_configuration_revisions AS note ON note.name = document.name AND note.created = document.created
WHERE document.name = $1::TEXT AND document.created = CASE
    WHEN $2::INT8 IS NOT NULL THEN (
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
        WHERE revision.name = $1::TEXT
        ORDER BY revision.created
        OFFSET $2::INT8 - 1
        LIMIT 1
    )
    WHEN $3::TIMESTAMPTZ IS NOT NULL THEN $3::TIMESTAMPTZ
    ELSE CASE
    WHEN $4::TEXT IS NOT NULL THEN (
        SELECT move.revision
        FROM draive_pg_configuration_labels AS move
        WHERE move.name = $1::TEXT
            AND move.label = $4::TEXT
            AND ($5::TIMESTAMPTZ IS NULL OR move.moved <= $5::TIMESTAMPTZ)
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
        WHERE revision.name = $1::TEXT
            AND ($5::TIMESTAMPTZ IS NULL OR revision.created <= $5::TIMESTAMPTZ)
        ORDER BY revision.created DESC
        LIMIT 1
    )
END
END
