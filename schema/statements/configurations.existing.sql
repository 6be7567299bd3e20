-- $1 name
SELECT
    (SELECT count(*) FROM (
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM configurations
    ) AS document WHERE document.name = $1::TEXT),
    ARRAY(
        SELECT newest.label
        FROM (
            SELECT DISTINCT ON (move.label) move.label, move.revision
            FROM draive_pg_configuration_labels AS move
            WHERE move.name = $1::TEXT
            ORDER BY move.label, move.moved DESC
        ) AS newest
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
            ON document.name = $1::TEXT AND document.created = newest.revision
        ORDER BY newest.label
    )
