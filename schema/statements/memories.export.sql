-- $1 identifiers
SELECT identifier, kind, regexp_replace(to_json(created AT TIME ZONE 'UTC') #>> '{}', E'([0-9])( BC)?$', E'\\1Z\\2'), document
FROM (
    SELECT identifier, 0 AS kind, 0 AS number, created, '' AS document
    FROM memories AS conversation
    WHERE identifier = ANY ($1::TEXT[])
    UNION ALL
    SELECT identifier, 1, row_number() OVER ordered, created, variables::TEXT
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE identifier = ANY ($1::TEXT[])
    WINDOW ordered AS (PARTITION BY identifier ORDER BY created, place)
    UNION ALL
    SELECT identifier, 2, number, created, content::TEXT
    FROM (
    SELECT
        identifier,
        row_number() OVER ordered AS number,
        max(moment) OVER ordered AS created,
        content
    FROM (
        SELECT
            identifier,
            created,
            place,
            CASE content ->> 'type'
                WHEN 'model_input' THEN least(moment, lead(moment) OVER ordered) ELSE moment
            END AS moment,
            content
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
        WINDOW ordered AS (PARTITION BY identifier ORDER BY created, place)
    ) AS element
    WINDOW ordered AS (PARTITION BY identifier ORDER BY created, place)
) AS element
    WHERE identifier = ANY ($1::TEXT[])
    UNION ALL
    SELECT
        identifier,
        3,
        row_number() OVER (PARTITION BY identifier ORDER BY annotated, id),
        annotated,
        (to_jsonb(annotation) - 'identifier' - 'annotated')::TEXT
    FROM draive_pg_annotations AS annotation
    WHERE identifier = ANY ($1::TEXT[])
) AS stored
ORDER BY identifier, kind, number
