-- $1 name
SELECT
    count(document.created) AS revisions,
    ((
        SELECT count(*)
        FROM (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS earlier
        WHERE earlier.name = $1::TEXT AND earlier.created <= max(document.created)
    ) + (
        SELECT count(*)
        FROM (
    SELECT gone.name, gone.created
    FROM draive_pg_template_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS earlier
        WHERE earlier.name = $1::TEXT AND earlier.created <= max(document.created)
    )) AS newest,
    ARRAY(
        SELECT move.label
        FROM (
    SELECT DISTINCT ON (name, label) * FROM (
    SELECT *
    FROM draive_pg_template_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move ORDER BY name, label, moved DESC
) AS move
        JOIN (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS labelled
            ON labelled.name = $1::TEXT AND labelled.created = move.revision
        WHERE move.name = $1::TEXT
        ORDER BY move.label
    ) AS labels
FROM (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS document
WHERE document.name = $1::TEXT
