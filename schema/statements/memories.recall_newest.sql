-- $1 identifier
-- $2 limit
SELECT written, document
FROM (
    (
        SELECT date_part('epoch', created) AS written, created, place, content::TEXT AS document
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
        LIMIT greatest($2::INT8, (
            SELECT number
            FROM (
                SELECT
                    type,
                    kind,
                    composite,
                    row_number() OVER (ORDER BY created DESC, place DESC) AS number
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
        ))
    )
    UNION ALL
    (
        SELECT NULL, NULL, NULL, variables::TEXT
        FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE identifier = $1::TEXT
        ORDER BY created DESC, place DESC
        LIMIT 1
    )
) AS recalled
ORDER BY created, place
