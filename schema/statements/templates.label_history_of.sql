-- $1 name
-- $2 label
SELECT
    move.name,
    move.label,
    numbered.revision,
    move.revision,
    move.moved,
    move.author,
    move.message
FROM (
    SELECT *
    FROM draive_pg_template_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
LEFT JOIN (
    
    SELECT
        name,
        created,
        row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
        created = max(created) FILTER (WHERE kept) OVER (PARTITION BY name) AS current
    FROM (
    SELECT kept.name, kept.created, TRUE AS kept FROM (
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
) AS kept
    UNION ALL
    SELECT removed.name, removed.created, FALSE FROM (
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
) AS removed
) AS revision
    WHERE kept AND name = $1::TEXT
) AS numbered ON numbered.name = move.name AND numbered.created = move.revision
WHERE move.name = $1::TEXT AND ($2::TEXT IS NULL OR move.label = $2::TEXT)
ORDER BY move.moved DESC, move.name, move.label
