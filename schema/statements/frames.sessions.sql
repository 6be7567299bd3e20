-- $1 identifier
-- $2 since
-- $3 until
-- $4 limit
SELECT
    frame."elements"::INT8 AS "elements",
    frame."turns"::INT8 AS "turns",
    frame."tool_calls"::INT8 AS "tool_calls",
    frame."n_chars"::INT8 AS "n_chars",
    coalesce(frame."seconds"::FLOAT8, 'NaN') AS "seconds",
    coalesce(frame."created", '-infinity') AS "created",
    coalesce(frame."first", '-infinity') AS "first",
    coalesce(frame."last", '-infinity') AS "last",
    frame."identifier"::TEXT AS "identifier"
FROM (
    SELECT
        identifier,
        memory_created AS created,
        min(created) AS first,
        max(created) AS last,
        count(content) AS elements,
        count(*) FILTER (WHERE 
content ->> 'type' = 'model_input' AND NOT content -> 'blocks' @> '[{"type": "tool_response"}]'
) AS turns,
        sum(CASE WHEN single THEN (kind = 'tool_request')::INT ELSE jsonb_array_length(
    jsonb_path_query_array(kinds, '$[*] ? (@ == "tool_request")')
) END) AS tool_calls,
        sum(length(text)) AS n_chars,
        -- of two elements with times of their own, or of a single one
        CASE WHEN count(*) FILTER (WHERE NOT untimed) >= least(2, count(content)) THEN
            CASE WHEN isfinite(min(created)) AND isfinite(max(created)) THEN
    extract(EPOCH FROM max(created)) - extract(EPOCH FROM min(created))
END
        END AS seconds
    FROM (
        SELECT *, CASE WHEN single THEN coalesce(content #>> '{blocks,0,parts,0,text}', '') ELSE coalesce((
    SELECT string_agg(part #>> '{}', '')
    FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
), '') END AS text, CASE WHEN single THEN coalesce(content #>> '{blocks,0,type}', 'content') END AS kind,
CASE WHEN NOT single THEN jsonb_path_query_array(content, '$.blocks[*].type') END AS kinds
        FROM (
            SELECT
                memory.identifier,
                memory.created AS memory_created,
                element.moment AS created,
                content,
                content #> '{meta,untimed}' IS NOT NULL AS untimed,
                (content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL) AS single
            FROM memories AS memory
            LEFT JOIN (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
                ON element.identifier = memory.identifier
                -- Repeated for the pruning of partitions.
                AND ($1::TEXT[] IS NULL OR element.identifier = ANY ($1::TEXT[]))
            WHERE ($1::TEXT[] IS NULL OR memory.identifier = ANY ($1::TEXT[]))
                AND ($2::TIMESTAMPTZ IS NULL OR memory.created >= $2::TIMESTAMPTZ)
                AND ($3::TIMESTAMPTZ IS NULL OR memory.created < $3::TIMESTAMPTZ)
            OFFSET 0
        ) AS element
        OFFSET 0
    ) AS element
    GROUP BY identifier, memory_created
    ORDER BY identifier
    LIMIT $4::INT8
    ) AS frame
