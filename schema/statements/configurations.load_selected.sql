-- $1 name
-- $2 selected_number
-- $3 selected_created
-- $4 selected_label
-- $5 as_of
SELECT
    document.content::TEXT, document.arguments::TEXT, document.description, document.meta::TEXT
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
