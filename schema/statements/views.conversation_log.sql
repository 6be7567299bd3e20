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
            SELECT *
            FROM (
    SELECT
        identifier,
        created,
        moment,
        place,
        writer,
        type,
        meta,
        kind,
        block,
        composite,
        row_number() OVER (PARTITION BY identifier ORDER BY created, place) - 1 AS position
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
        AND (
        TRUE /*
        NULL::INT8 IS NULL
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
                WHERE element.identifier = written.identifier
                LIMIT 1
            ) AS element
            ORDER BY written.identifier
            
        ))
        */
    )
        AND (NULL::TEXT IS NULL OR identifier BETWEEN NULL::TEXT AND NULL::TEXT)
            ) AS element
            WHERE (NULL::TIMESTAMPTZ IS NULL OR created >= NULL::TIMESTAMPTZ)
    AND (NULL::TIMESTAMPTZ IS NULL OR created < NULL::TIMESTAMPTZ)
    AND (NULL::TEXT IS NULL OR type = NULL::TEXT)
    AND (NULL::TEXT IS NULL OR CASE type
    WHEN 'model_output' THEN 'assistant'
    WHEN 'model_input' THEN CASE WHEN CASE
    WHEN kind IS NOT NULL THEN kind = 'tool_response'
    ELSE composite -> 'blocks' @> '[{"type": "tool_response"}]'
END THEN 'tool' ELSE 'user' END
    ELSE type
END = NULL::TEXT)
    AND (NULL::TEXT[] IS NULL OR CASE
        WHEN kind IS NULL
        THEN jsonb_path_query_array(composite, '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response").tool') ?| NULL::TEXT[]
        ELSE kind IN ('tool_request', 'tool_response') AND block ->> 'tool' = ANY (NULL::TEXT[])
    END)
                AND (
                    NULL::INT8 IS NULL
                    OR writer IS NULL
                    OR (SELECT pg_snapshot_xmax(pg_current_snapshot())::TEXT::INT8) - 1 - (((SELECT pg_snapshot_xmax(pg_current_snapshot())::TEXT::INT8) - 1 - writer::TEXT::INT8) & 4294967295) < NULL::INT8
                )
                AND (NULL::INT8 IS NULL OR (SELECT pg_snapshot_xmax(pg_current_snapshot())::TEXT::INT8) - 1 - (((SELECT pg_snapshot_xmax(pg_current_snapshot())::TEXT::INT8) - 1 - writer::TEXT::INT8) & 4294967295) >= NULL::INT8)
            -- The order of the window above, so that only the memories of the first rows are read.
            ORDER BY identifier, created, place
            
            
        ) AS element
        
    ) AS element
    ) AS frame
