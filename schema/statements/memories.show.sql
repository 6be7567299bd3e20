-- $1 identifier
-- $2 limit
WITH newest AS (
    SELECT created, place, moment, content
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
    LIMIT $2::INT8
)
SELECT
    EXISTS (
        SELECT FROM memories AS conversation WHERE identifier = $1::TEXT
    ),
    (SELECT count(*) FROM (
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
    ) AS element WHERE identifier = $1::TEXT),
    (
        SELECT variables::TEXT
        FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE identifier = $1::TEXT
        ORDER BY created DESC, place DESC
        LIMIT 1
    )
UNION ALL
(
    SELECT NULL, (extract(EPOCH FROM CASE WHEN isfinite(moment) THEN moment END) * 1000000)::INT8, content::TEXT
    FROM newest
    ORDER BY created, place
)
