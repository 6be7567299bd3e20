-- $1 identifiers
SELECT identifier, kind, (extract(EPOCH FROM CASE WHEN isfinite(moment) THEN moment END) * 1000000)::INT8, document
FROM (
    SELECT
        identifier,
        0 AS kind,
        NULL::TIMESTAMPTZ AS created,
        NULL::TIMESTAMPTZ AS moment,
        '' AS document,
        NULL::TID AS place
    FROM memories AS conversation
    WHERE identifier = ANY ($1::TEXT[])
    UNION ALL
    SELECT
        identifier,
        3,
        NULL,
        annotated,
        (to_jsonb(annotation) - ARRAY['identifier', 'id', 'digest', 'occurrence'])::TEXT,
        NULL
    FROM (
    SELECT annotation.*, element.position
    FROM (
        SELECT identifier, id, digest, occurrence, name, score, comment, tags, author, annotated FROM draive_pg_annotations AS annotation WHERE identifier = ANY ($1::TEXT[])
    ) AS annotation
    LEFT JOIN (
    SELECT
        identifier,
        digest,
        row_number() OVER (PARTITION BY identifier, digest ORDER BY created, place) AS occurrence,
        row_number() OVER (PARTITION BY identifier ORDER BY created, place) - 1 AS position
    FROM (
        SELECT identifier, created, place, encode(sha256(convert_to(content::TEXT, 'UTF8')), 'hex') AS digest
        FROM (
        SELECT
            identifier,
            created,
            created AS moment,
            ctid AS place,
            xmin AS writer,
            content,
            content ->> 'type' AS type,
            content -> 'meta' AS meta,
            CASE
                WHEN content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL
                THEN coalesce(content #>> '{blocks,0,type}', 'content')
            END AS kind,
            content #> '{blocks,0}' AS block,
            content AS composite
        FROM memories_elements
    ) AS element
        WHERE identifier IN (
            SELECT identifier FROM draive_pg_annotations AS annotation
            WHERE digest IS NOT NULL AND identifier = ANY ($1::TEXT[])
        )
    ) AS element
) AS element USING (identifier, digest, occurrence)
) AS annotation
    UNION ALL
    SELECT identifier, 1, created, created, variables::TEXT, place
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE identifier = ANY ($1::TEXT[])
    UNION ALL
    SELECT identifier, 2, created, moment, content::TEXT, place
    FROM (
        SELECT
            identifier,
            created,
            created AS moment,
            ctid AS place,
            xmin AS writer,
            content,
            content ->> 'type' AS type,
            content -> 'meta' AS meta,
            CASE
                WHEN content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL
                THEN coalesce(content #>> '{blocks,0,type}', 'content')
            END AS kind,
            content #> '{blocks,0}' AS block,
            content AS composite
        FROM memories_elements
    ) AS element
    WHERE identifier = ANY ($1::TEXT[])
) AS stored
ORDER BY identifier, created NULLS FIRST, kind, place, moment
