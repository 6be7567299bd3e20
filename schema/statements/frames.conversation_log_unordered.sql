-- $1 identifier
SELECT
    frame."tool_requests"::INT8 AS "tool_requests",
    frame."tool_responses"::INT8 AS "tool_responses",
    frame."parts"::INT8 AS "parts",
    frame."n_chars"::INT8 AS "n_chars",
    frame."memory"::INT8 AS "memory",
    coalesce(frame."created", '-infinity') AS "created",
    frame."place" AS "place",
    frame."identifier"::TEXT AS "identifier",
    frame."role"::TEXT AS "role",
    frame."speaker"::TEXT AS "speaker",
    frame."text"::TEXT AS "text",
    frame."reasoning"::TEXT AS "reasoning",
    frame."tools"::TEXT AS "tools",
    frame."meta"::TEXT AS "meta"
FROM (
    SELECT
    memory,
    identifier,
    created,
    place,
    CASE type
    WHEN 'model_input' THEN 'input'
    WHEN 'model_output' THEN 'output'
    ELSE type
END AS role,
    CASE type
    WHEN 'model_output' THEN 'assistant'
    WHEN 'model_input' THEN CASE WHEN CASE
    WHEN kind IS NOT NULL THEN kind = 'tool_response'
    ELSE composite -> 'blocks' @> '[{"type": "tool_response"}]'
END THEN 'tool' ELSE 'user' END
    ELSE type
END AS speaker,
    text,
    CASE
        WHEN kind IS NULL THEN coalesce((
    SELECT string_agg(part #>> '{}', '') FROM jsonb_path_query(composite, '$.blocks[*] ? (@.type == "reasoning").content.parts[*].text') AS part
), '')
        WHEN kind = 'reasoning' THEN coalesce((
    SELECT string_agg(part #>> '{}', '') FROM jsonb_path_query(coalesce(block -> 'content', block -> 'reasoning'), '$.parts[*].text') AS part
), '')
        ELSE ''
    END AS reasoning,
    CASE
        WHEN kind IS NULL THEN jsonb_path_query_array(composite, '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response").tool')::TEXT
        WHEN kind IN ('tool_request', 'tool_response') THEN coalesce('[' || (block -> 'tool')::TEXT || ']', '[]')
        ELSE '[]'
    END AS tools,
    CASE WHEN kind IS NOT NULL THEN (kind = 'tool_request')::INT ELSE jsonb_array_length(
    jsonb_path_query_array(composite, '$.blocks[*] ? (@.type == "tool_request")')
) END AS tool_requests,
    CASE WHEN kind IS NOT NULL THEN (kind = 'tool_response')::INT ELSE jsonb_array_length(
    jsonb_path_query_array(composite, '$.blocks[*] ? (@.type == "tool_response")')
) END AS tool_responses,
    CASE
        WHEN kind IS NULL THEN
            jsonb_array_length(jsonb_path_query_array(composite, '$.blocks[*].parts[*].type()'))
        WHEN text = '' AND block #> '{parts,0}' IS NULL THEN 0
        ELSE 1
    END AS parts,
    length(text) AS n_chars,
    coalesce(meta::TEXT, '{}') AS meta
    FROM (
        SELECT *, CASE WHEN kind IS NOT NULL THEN coalesce(block #>> '{parts,0,text}', '')
    ELSE coalesce((
    SELECT string_agg(part #>> '{}', '') FROM jsonb_path_query(composite, '$.blocks[*].parts[*].text') AS part
), '')
END AS text
        FROM (
            SELECT
                identifier,
                element.created,
                place,
                type,
                meta,
                kind,
                block,
                composite,
                coalesce(memory, (129::INT8 << 32) + hashtext(identifier)) AS memory
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
            LEFT JOIN (
                SELECT
                    identifier,
                    ((ntile(128) OVER ordered - 1)::INT8 << 32)
                        + row_number() OVER ordered AS memory
                FROM memories AS conversation
                WHERE $1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[])
                WINDOW ordered AS (ORDER BY identifier)
            ) AS memory USING (identifier)
            WHERE $1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[])
            OFFSET 0
        ) AS element
        OFFSET 0
    ) AS element
    ) AS frame
