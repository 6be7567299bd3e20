-- $1 identifier
-- $2 action
-- $3 author
-- $4 reason
-- $5 erase
WITH anchor AS (
    SELECT created, place
    FROM (
        SELECT created, place, type, kind, composite
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
        WHERE identifier = $1::TEXT
        ORDER BY created DESC, place DESC
LIMIT (SELECT 9223372036854775807)
    ) AS backward
    WHERE type = 'model_input' AND NOT CASE
    WHEN kind IS NOT NULL THEN kind = 'tool_response'
    ELSE composite -> 'blocks' @> '[{"type": "tool_response"}]'
END
    LIMIT 1
),
chosen AS MATERIALIZED (
    SELECT identifier, created, place, content
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
    WHERE identifier = $1::TEXT
    AND (created, place) >= ((SELECT created FROM anchor), (SELECT place FROM anchor))
),
checked AS (SELECT NULL::TEXT AS refusal),
removed_elements AS (
    SELECT identifier, created, place FROM chosen WHERE (SELECT refusal FROM checked) IS NULL
),
digests AS (
    SELECT
        created,
        place,
        encode(sha256(convert_to(content::TEXT, 'UTF8')), 'hex') AS digest,
        (created, place) IN (SELECT created, place FROM chosen) AS is_chosen
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
    WHERE identifier = $1::TEXT
        AND EXISTS (
            SELECT FROM draive_pg_annotations AS annotation
            WHERE annotation.identifier = $1::TEXT AND digest IS NOT NULL
        )
),
numbered AS MATERIALIZED (
    SELECT
        digest,
        is_chosen,
        row_number() OVER (PARTITION BY digest ORDER BY created, place) AS occurrence,
        row_number() OVER (
            PARTITION BY CASE WHEN is_chosen THEN encode(sha256(convert_to(NULL::JSONB::TEXT, 'UTF8')), 'hex') ELSE digest END
            ORDER BY created, place
        ) AS number
    FROM digests
),
forgotten AS (
    DELETE FROM draive_pg_annotations AS annotation
    WHERE identifier = $1::TEXT
        AND digest IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM numbered
            WHERE numbered.digest = annotation.digest
                AND numbered.occurrence = annotation.occurrence
                AND number = numbered.occurrence
                AND NOT is_chosen
        )
        AND (SELECT refusal FROM checked) IS NULL
    RETURNING *
),
renumbered AS (
    INSERT INTO draive_pg_annotations (identifier, id, digest, occurrence, name, score, comment, tags, author, annotated)
    SELECT identifier, id, digest, number, name, score, comment, tags, author, annotated
    FROM forgotten
    JOIN numbered USING (digest, occurrence)
    WHERE NOT is_chosen
),
deleted_elements AS (
    DELETE FROM memories_elements
    WHERE ctid = ANY (ARRAY(SELECT place FROM removed_elements))
        AND identifier = (SELECT min(identifier) FROM removed_elements)
        AND (created, ctid) IN (SELECT created, place FROM removed_elements)
),
kept AS (
    INSERT INTO draive_pg_removed_elements (
        identifier, created, action, author, reason, content
    )
    SELECT identifier, created, $2::TEXT, $3::TEXT, $4::TEXT, content
    FROM chosen
    WHERE NOT $5::BOOLEAN AND (SELECT refusal FROM checked) IS NULL
    ORDER BY created, place
)
SELECT (SELECT refusal FROM checked), content::TEXT FROM chosen ORDER BY created, place
