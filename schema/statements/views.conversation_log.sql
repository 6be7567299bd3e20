CREATE OR REPLACE VIEW draive_pg.conversation_log WITH (security_invoker = TRUE) AS
SELECT
    frame."identifier"::TEXT AS "identifier",
    frame."position"::INT8 AS "position",
    frame."created"::TIMESTAMPTZ AS "created",
    frame."role"::TEXT AS "role",
    frame."speaker"::TEXT AS "speaker",
    frame."text"::TEXT AS "text",
    frame."reasoning"::TEXT AS "reasoning",
    frame."tools"::JSONB AS "tools",
    frame."tool_requests"::INT8 AS "tool_requests",
    frame."tool_responses"::INT8 AS "tool_responses",
    frame."parts"::INT8 AS "parts",
    frame."n_chars"::INT8 AS "n_chars",
    frame."meta"::JSONB AS "meta"
FROM (
    SELECT
    position,
    identifier,
    created,
    place,
    
CASE content ->> 'type'
    WHEN 'model_input' THEN 'input'
    WHEN 'model_output' THEN 'output'
    ELSE content ->> 'type'
END
 AS role,
    
CASE content ->> 'type'
    WHEN 'model_output' THEN 'assistant'
    WHEN 'model_input' THEN CASE WHEN (kind = 'tool_response' OR kinds ? 'tool_response') THEN 'tool' ELSE 'user' END
    ELSE content ->> 'type'
END
 AS speaker,
    text,
    CASE WHEN kind = 'reasoning' OR kinds ? 'reasoning' THEN coalesce((
        SELECT string_agg(part #>> '{}', '')
        FROM jsonb_path_query(
            content, '$.blocks[*] ? (@.type == "reasoning").content.parts[*].text'
        ) AS part
    ), '') ELSE '' END AS reasoning,
    CASE
        WHEN kind IN ('tool_request', 'tool_response') THEN
            coalesce('[' || (content #> '{blocks,0,tool}')::TEXT || ']', '[]')
        WHEN kinds ?| ARRAY['tool_request', 'tool_response'] THEN jsonb_path_query_array(content, '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response").tool')::TEXT
        ELSE '[]'
    END AS tools,
    CASE WHEN single THEN (kind = 'tool_request')::INT ELSE jsonb_array_length(
    jsonb_path_query_array(kinds, '$[*] ? (@ == "tool_request")')
) END AS tool_requests,
    CASE WHEN single THEN (kind = 'tool_response')::INT ELSE jsonb_array_length(
    jsonb_path_query_array(kinds, '$[*] ? (@ == "tool_response")')
) END AS tool_responses,
    CASE
        WHEN NOT single THEN
            jsonb_array_length(jsonb_path_query_array(content, '$.blocks[*].parts[*].type()'))
        WHEN text = '' AND content #> '{blocks,0,parts,0}' IS NULL THEN 0
        ELSE 1
    END AS parts,
    length(text) AS n_chars,
    coalesce((content -> 'meta')::TEXT, '{}') AS meta
    FROM (
        SELECT *, CASE WHEN single THEN coalesce(content #>> '{blocks,0,parts,0,text}', '') ELSE coalesce((
    SELECT string_agg(part #>> '{}', '')
    FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
), '') END AS text, CASE WHEN single THEN coalesce(content #>> '{blocks,0,type}', 'content') END AS kind,
CASE WHEN NOT single THEN jsonb_path_query_array(content, '$.blocks[*].type') END AS kinds
        FROM (
            SELECT *, (content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL) AS single
            FROM (SELECT
        identifier,
        created,
        moment,
        content,
        place,
        row_number() OVER (PARTITION BY identifier ORDER BY created, place) - 1 AS position
    FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
    WHERE (NULL::TEXT[] IS NULL OR identifier = ANY (NULL::TEXT[]))
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
    )) AND (
        TRUE
        OR NULL::INT8 IS NULL
        OR coalesce(NULL::TIMESTAMPTZ, NULL::TIMESTAMPTZ) IS NOT NULL
        OR coalesce(NULL::TEXT, NULL::TEXT) IS NOT NULL
        OR NULL::TEXT[] IS NOT NULL
        OR identifier = ANY (ARRAY(
            SELECT written.identifier
            FROM (
                SELECT DISTINCT identifier
                FROM memories_elements AS element
                WHERE (NULL::TEXT[] IS NULL OR identifier = ANY (NULL::TEXT[]))
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
                ORDER BY identifier
            ) AS written
            CROSS JOIN LATERAL (
                SELECT FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
                WHERE element.identifier = written.identifier
                LIMIT 1
            ) AS element
            ORDER BY written.identifier
            
        ))
    )) AS element
            WHERE (NULL::TIMESTAMPTZ IS NULL OR created >= NULL::TIMESTAMPTZ)
                AND (NULL::TIMESTAMPTZ IS NULL OR created < NULL::TIMESTAMPTZ)
                AND (NULL::TEXT IS NULL OR content ->> 'type' = NULL::TEXT)
                AND (NULL::TEXT IS NULL OR 
CASE content ->> 'type'
    WHEN 'model_output' THEN 'assistant'
    WHEN 'model_input' THEN CASE WHEN content -> 'blocks' @> '[{"type": "tool_response"}]' THEN 'tool' ELSE 'user' END
    ELSE content ->> 'type'
END
 = NULL::TEXT)
                AND (NULL::TEXT[] IS NULL OR jsonb_path_query_array(content, '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response").tool') ?| NULL::TEXT[])
            -- The order of the window above, so that only the memories of the first rows are read.
            ORDER BY identifier, created, place
            
            
        ) AS element
        
    ) AS element
    ) AS frame
