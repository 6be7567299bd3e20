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
LEFT JOIN LATERAL (
    SELECT base.*
    FROM draive_pg_folder_bases AS base
    WHERE base.documents = $1::TEXT AND base.name = new.name
    ORDER BY base.number DESC
    LIMIT 1
) AS last ON TRUE
WHERE (document.created IS NOT NULL) = (new.created IS NOT NULL)
    AND (
        last.revision IS DISTINCT FROM document.created
        OR last.digest IS DISTINCT FROM new.digest
        OR last.labels IS DISTINCT FROM new.labels::JSONB
    )
ORDER BY new.name
