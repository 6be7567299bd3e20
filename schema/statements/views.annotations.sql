CREATE OR REPLACE VIEW draive_pg.annotations WITH (security_invoker = TRUE) AS
SELECT
    frame."identifier"::TEXT AS "identifier",
    frame."position"::INT8 AS "position",
    frame."name"::TEXT AS "name",
    frame."score"::FLOAT8 AS "score",
    frame."comment"::TEXT AS "comment",
    frame."tags"::JSONB AS "tags",
    frame."author"::TEXT AS "author",
    frame."annotated"::TIMESTAMPTZ AS "annotated",
    frame."id"::TEXT AS "id"
FROM (
    SELECT *
    FROM (
    SELECT annotation.*, element.position
    FROM (
        SELECT identifier, id, digest, occurrence, name, score, comment, tags, author, annotated FROM draive_pg_annotations AS annotation WHERE (NULL::TEXT[] IS NULL OR identifier = ANY (NULL::TEXT[]))
    AND (NULL::TEXT IS NULL OR starts_with(identifier, NULL::TEXT))
    AND (NULL::JSONB IS NULL OR identifier IN (
        SELECT identifier
        FROM (
            SELECT DISTINCT ON (identifier) identifier, variables
            FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
            ORDER BY identifier, created DESC, place DESC
        ) AS newest
        WHERE variables @> NULL::JSONB
    ))
            AND (NULL::TIMESTAMPTZ IS NULL OR annotated >= NULL::TIMESTAMPTZ)
            AND (NULL::TIMESTAMPTZ IS NULL OR annotated < NULL::TIMESTAMPTZ)
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
            WHERE digest IS NOT NULL AND (NULL::TEXT[] IS NULL OR identifier = ANY (NULL::TEXT[]))
    AND (NULL::TEXT IS NULL OR starts_with(identifier, NULL::TEXT))
    AND (NULL::JSONB IS NULL OR identifier IN (
        SELECT identifier
        FROM (
            SELECT DISTINCT ON (identifier) identifier, variables
            FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
            ORDER BY identifier, created DESC, place DESC
        ) AS newest
        WHERE variables @> NULL::JSONB
    ))
            AND (NULL::TIMESTAMPTZ IS NULL OR annotated >= NULL::TIMESTAMPTZ)
            AND (NULL::TIMESTAMPTZ IS NULL OR annotated < NULL::TIMESTAMPTZ)
        )
    ) AS element
) AS element USING (identifier, digest, occurrence)
) AS annotation
    ORDER BY identifier, position NULLS FIRST, annotated, id
    
) AS frame
