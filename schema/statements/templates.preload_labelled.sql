-- $1 label
SELECT document.name, document.content::TEXT, document.arguments::TEXT, document.created
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
) AS document
    ON document.name = move.name AND document.created = move.revision
WHERE move.label = $1::TEXT AND coalesce(to_jsonb(move) ->> 'digest' = encode(sha256(
        sha256(convert_to(document.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(document.description, document.arguments::TEXT, document.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex'), TRUE)
