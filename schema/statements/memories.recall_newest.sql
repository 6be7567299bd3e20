-- $1 identifier
-- $2 limit
SELECT written, document
FROM (
    (
        SELECT created::TEXT AS written, created, place, content::TEXT AS document
        FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
        WHERE identifier = $1::TEXT
        ORDER BY created DESC, place DESC
        LIMIT greatest($2::INT8, (
            SELECT number
            FROM (
                SELECT content, row_number() OVER (ORDER BY created DESC, place DESC) AS number
                FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
                WHERE identifier = $1::TEXT
            ) AS backward
            WHERE content ->> 'type' = 'model_input' AND NOT content -> 'blocks' @> '[{"type": "tool_response"}]'
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
