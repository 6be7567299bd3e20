-- $1 documents
-- $2 names
-- $3 times
-- $4 digests
-- $5 labels
INSERT INTO draive_pg_folder_bases (documents, name, revision, digest, stored, labels)
SELECT
    $1::TEXT,
    new.name,
    document.created,
    CASE WHEN document.created IS NOT NULL THEN new.digest END,
    encode(sha256(
        sha256(convert_to(document.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(document.description, document.arguments::TEXT, document.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex'),
    new.labels::JSONB
FROM unnest($2::TEXT[], $3::TIMESTAMPTZ[], $4::TEXT[], $5::TEXT[])
    AS new (name, created, digest, labels)
LEFT JOIN (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS document
    ON document.name = new.name AND document.created = new.created
WHERE (document.created IS NOT NULL) = (new.created IS NOT NULL)
    AND NOT EXISTS (
        SELECT FROM draive_pg_folder_bases AS base
        JOIN (
    SELECT * FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS later ON later.name = base.name AND later.created = base.revision
        WHERE base.documents = $1::TEXT
            AND base.name = new.name
            AND base.revision > new.created
    )
ORDER BY new.name
