-- $1 position
-- $2 identifier
-- $3 id
-- $4 name
-- $5 score
-- $6 comment
-- $7 tags
-- $8 author
WITH target AS (
    SELECT
        conversation.identifier,
        element.digest,
        element.occurrence,
        $1::INT8 IS NULL OR element.position IS NOT NULL AS found
    FROM memories AS conversation
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
        WHERE identifier = $2::TEXT AND (SELECT $1::INT8) IS NOT NULL
    ) AS element
) AS element
        ON element.position = $1::INT8
    WHERE conversation.identifier = $2::TEXT
),
replaced AS (
    DELETE FROM draive_pg_annotations AS annotation
    WHERE identifier = $2::TEXT
        AND id = $3::TEXT
        AND (SELECT found FROM target)
    RETURNING id
),
added AS (
    INSERT INTO draive_pg_annotations (
        identifier, id, digest, occurrence, name, score, comment, tags, author
    )
    SELECT
        identifier,
        $3::TEXT,
        digest,
        occurrence,
        $4::TEXT,
        $5::FLOAT8,
        $6::TEXT,
        $7::JSONB,
        $8::TEXT
    FROM target
    WHERE found AND (SELECT count(*) FROM replaced) >= 0 -- after it
    RETURNING annotated
)
SELECT found, (SELECT (extract(EPOCH FROM CASE WHEN isfinite(annotated) THEN annotated END) * 1000000)::INT8 FROM added) FROM target
