-- $1 identifiers
SELECT identifier, kind, (extract(EPOCH FROM CASE WHEN isfinite(moment) THEN moment END) * 1000000)::INT8, document
FROM (
    SELECT
        identifier,
        0 AS kind,
        NULL::TIMESTAMPTZ AS created,
        NULL::TIMESTAMPTZ AS moment,
        '' AS document,
        NULL AS place
    FROM memories AS conversation
    WHERE identifier = ANY ($1::TEXT[])
    UNION ALL
    SELECT identifier, 1, created, created, variables::TEXT, place
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE identifier = ANY ($1::TEXT[])
    UNION ALL
    SELECT identifier, 2, created, moment, content::TEXT, place
    FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
    WHERE identifier = ANY ($1::TEXT[])
) AS stored
ORDER BY identifier, created NULLS FIRST, kind, place
