CREATE OR REPLACE VIEW draive_pg.sessions WITH (security_invoker = TRUE) AS
SELECT
    frame."identifier"::TEXT AS "identifier",
    frame."created"::TIMESTAMPTZ AS "created",
    frame."first"::TIMESTAMPTZ AS "first",
    frame."last"::TIMESTAMPTZ AS "last",
    frame."elements"::INT8 AS "elements",
    frame."turns"::INT8 AS "turns",
    frame."tool_calls"::INT8 AS "tool_calls",
    frame."failures"::INT8 AS "failures",
    frame."n_chars"::INT8 AS "n_chars",
    frame."seconds"::FLOAT8 AS "seconds",
    frame."question"::TEXT AS "question",
    frame."variables"::JSONB AS "variables"
FROM (
    SELECT
        identifier,
        memory_created AS created,
        min(created) AS first,
        max(created) AS last,
        count(place) AS elements,
        count(*) FILTER (WHERE type = 'model_input' AND NOT CASE
    WHEN kind IS NOT NULL THEN kind = 'tool_response'
    ELSE composite -> 'blocks' @> '[{"type": "tool_response"}]'
END) AS turns,
        coalesce(sum(CASE WHEN kind IS NOT NULL THEN (kind = 'tool_request')::INT ELSE jsonb_array_length(
    jsonb_path_query_array(composite, '$.blocks[*] ? (@.type == "tool_request")')
) END), 0) AS tool_calls,
        coalesce(sum(CASE
    WHEN kind = 'tool_response' THEN (CASE block ->> 'status'
    WHEN 'error' THEN 'error'
    ELSE coalesce(block ->> 'handling', block #>> '{meta,draive_pg_handling}', 'response')
END = 'error' OR coalesce((
    SELECT string_agg(part #>> '{}', '') FROM jsonb_path_query(coalesce(block -> 'content', block -> 'result'), '$.parts[*].text') AS part
), '') ~* E'^\\s*(?:\\{\\s*"error"|error\\y)')::INT
    WHEN kind IS NULL THEN (
        SELECT count(*)
        FROM (
            SELECT block, coalesce(string_agg(part #>> '{}', ''), '') AS text
            FROM jsonb_path_query(composite, '$.blocks[*] ? (@.type == "tool_response")')
                WITH ORDINALITY AS response (block, number)
            LEFT JOIN LATERAL jsonb_path_query(coalesce(block -> 'content', block -> 'result'), '$.parts[*].text') AS part ON TRUE
            GROUP BY number, block
        ) AS said
        WHERE (CASE block ->> 'status'
    WHEN 'error' THEN 'error'
    ELSE coalesce(block ->> 'handling', block #>> '{meta,draive_pg_handling}', 'response')
END = 'error' OR text ~* E'^\\s*(?:\\{\\s*"error"|error\\y)')
    )
    ELSE 0
END), 0) AS failures,
        sum(length(text)) AS n_chars,
        -- of two elements with times of their own, or of a single one
        CASE WHEN count(*) FILTER (WHERE NOT untimed) >= least(2, count(place)) THEN
            CASE WHEN isfinite(min(created)) AND isfinite(max(created)) THEN
    extract(EPOCH FROM max(created)) - extract(EPOCH FROM min(created))
END
        END AS seconds,
        (array_agg(text ORDER BY created, place) FILTER (WHERE type = 'model_input' AND NOT CASE
    WHEN kind IS NOT NULL THEN kind = 'tool_response'
    ELSE composite -> 'blocks' @> '[{"type": "tool_response"}]'
END))[1] AS question,
        (
            SELECT snapshot.variables
            FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
            WHERE snapshot.identifier = element.identifier
            ORDER BY snapshot.created DESC, snapshot.place DESC
            LIMIT 1
        ) AS variables
    FROM (
        SELECT *, CASE WHEN kind IS NOT NULL THEN coalesce(block #>> '{parts,0,text}', '')
    ELSE coalesce((
    SELECT string_agg(part #>> '{}', '') FROM jsonb_path_query(composite, '$.blocks[*].parts[*].text') AS part
), '')
END AS text
        FROM (
            SELECT
                memory.identifier,
                memory.created AS memory_created,
                element.moment AS created,
                place,
                type,
                kind,
                block,
                composite,
                meta -> 'untimed' IS NOT NULL AS untimed
            FROM (
    SELECT identifier, created
    FROM memories AS conversation
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
        AND (NULL::TIMESTAMPTZ IS NULL OR created >= NULL::TIMESTAMPTZ)
        AND (NULL::TIMESTAMPTZ IS NULL OR created < NULL::TIMESTAMPTZ)
        AND (NULL::INT8 IS NULL OR identifier = ANY (ARRAY(
    SELECT identifier FROM (SELECT identifier, created
    FROM memories AS conversation
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
        AND (NULL::TIMESTAMPTZ IS NULL OR created >= NULL::TIMESTAMPTZ)
        AND (NULL::TIMESTAMPTZ IS NULL OR created < NULL::TIMESTAMPTZ)) AS chosen ORDER BY identifier 
)))
            ) AS memory
            LEFT JOIN (
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
                ON element.identifier = memory.identifier
                -- Repeated for the pruning of partitions, and to convert no element of others.
                AND (NULL::TEXT[] IS NULL OR element.identifier = ANY (NULL::TEXT[]))
                AND (NULL::INT8 IS NULL OR element.identifier = ANY (ARRAY(
    SELECT identifier FROM (SELECT identifier, created
    FROM memories AS conversation
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
        AND (NULL::TIMESTAMPTZ IS NULL OR created >= NULL::TIMESTAMPTZ)
        AND (NULL::TIMESTAMPTZ IS NULL OR created < NULL::TIMESTAMPTZ)) AS chosen ORDER BY identifier 
)))
            
        ) AS element
        
    ) AS element
    GROUP BY identifier, memory_created
    ORDER BY identifier
    
    ) AS frame
