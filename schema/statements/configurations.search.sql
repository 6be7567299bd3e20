-- $1 text
-- $2 meta
-- $3 since
-- $4 until
-- $5 author
-- $6 label
-- $7 current
-- $8 limit
SELECT 
    document.name,
    numbered.revision AS revision,
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

FROM (
    SELECT
        name,
        created,
        row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
        created = max(created) OVER (PARTITION BY name) AS current
    FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS every
) AS numbered
JOIN (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS document
    ON document.name = numbered.name AND document.created = numbered.created
LEFT JOIN draive_pg_configuration_revisions AS note ON note.name = document.name AND note.created = document.created
WHERE (
        $1::TEXT IS NULL
        OR position(lower($1::TEXT) IN lower(document.name)) > 0
        OR position(lower($1::TEXT) IN lower(document.content::TEXT)) > 0
        OR position(lower($1::TEXT) IN lower(document.description)) > 0
        OR position(lower($1::TEXT) IN lower(note.message)) > 0
    )
    AND ($2::JSONB IS NULL OR document.meta @> $2::JSONB)
    AND ($3::TIMESTAMPTZ IS NULL OR document.created >= $3::TIMESTAMPTZ)
    AND ($4::TIMESTAMPTZ IS NULL OR document.created < $4::TIMESTAMPTZ)
    AND ($5::TEXT IS NULL OR note.author = $5::TEXT)
    AND (
        $6::TEXT IS NULL
        OR document.created = (
            SELECT move.revision
            FROM draive_pg_configuration_labels AS move
            WHERE move.name = document.name AND move.label = $6::TEXT
            ORDER BY move.moved DESC
            LIMIT 1
        )
    )
    AND (numbered.current OR NOT $7::BOOLEAN)
ORDER BY document.name, document.created DESC
LIMIT $8::INT8
