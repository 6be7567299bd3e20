-- $1 identifiers
WITH matching AS (SELECT unnest($1::TEXT[]) AS identifier)

SELECT
    coalesce((SELECT array_agg(identifier ORDER BY identifier) FROM matching), '{}')
        AS identifiers,
    (
        SELECT count(*) FROM matching
        JOIN (
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
    ) AS element ON element.identifier = matching.identifier
    ) AS elements,
    (
        SELECT count(*) FROM matching
        JOIN (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot ON snapshot.identifier = matching.identifier
    ) AS variables
