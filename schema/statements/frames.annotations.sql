-- $1 identifier
-- $2 prefix
-- $3 variables
-- $4 since
-- $5 until
-- $6 limit
SELECT
    coalesce(frame."position"::INT8, -1) AS "position",
    coalesce(frame."score"::FLOAT8, 'NaN') AS "score",
    coalesce(frame."annotated", '-infinity') AS "annotated",
    frame."identifier"::TEXT AS "identifier",
    frame."name"::TEXT AS "name",
    frame."comment"::TEXT AS "comment",
    frame."author"::TEXT AS "author",
    frame."id"::TEXT AS "id",
    frame."tags"::TEXT AS "tags"
FROM (
    SELECT *
    FROM (
    SELECT annotation.*, element.position
    FROM (
        SELECT identifier, id, digest, occurrence, name, score, comment, tags, author, annotated FROM draive_pg_annotations AS annotation WHERE ($1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[]))
    AND ($2::TEXT IS NULL OR starts_with(identifier, $2::TEXT))
    AND ($3::JSONB IS NULL OR identifier IN (
        SELECT identifier
        FROM (
            SELECT DISTINCT ON (identifier) identifier, variables
            FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
            ORDER BY identifier, created DESC, place DESC
        ) AS newest
        WHERE variables @> $3::JSONB
    ))
            AND ($4::TIMESTAMPTZ IS NULL OR annotated >= $4::TIMESTAMPTZ)
            AND ($5::TIMESTAMPTZ IS NULL OR annotated < $5::TIMESTAMPTZ)
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
            WHERE digest IS NOT NULL AND ($1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[]))
    AND ($2::TEXT IS NULL OR starts_with(identifier, $2::TEXT))
    AND ($3::JSONB IS NULL OR identifier IN (
        SELECT identifier
        FROM (
            SELECT DISTINCT ON (identifier) identifier, variables
            FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
            ORDER BY identifier, created DESC, place DESC
        ) AS newest
        WHERE variables @> $3::JSONB
    ))
            AND ($4::TIMESTAMPTZ IS NULL OR annotated >= $4::TIMESTAMPTZ)
            AND ($5::TIMESTAMPTZ IS NULL OR annotated < $5::TIMESTAMPTZ)
        )
    ) AS element
) AS element USING (identifier, digest, occurrence)
) AS annotation
    ORDER BY identifier, position NULLS FIRST, annotated, id
    LIMIT $6::INT8
) AS frame
