CREATE OR REPLACE VIEW draive_pg.tool_calls WITH (security_invoker = TRUE) AS
SELECT
    frame."identifier"::TEXT AS "identifier",
    frame."position"::INT8 AS "position",
    frame."created"::TIMESTAMPTZ AS "created",
    frame."call"::TEXT AS "call",
    frame."tool"::TEXT AS "tool",
    frame."arguments"::JSONB AS "arguments",
    frame."response"::TEXT AS "response",
    frame."handling"::TEXT AS "handling",
    frame."failed"::BOOLEAN AS "failed",
    frame."responded"::TIMESTAMPTZ AS "responded",
    frame."seconds"::FLOAT8 AS "seconds"
FROM (
    SELECT
        identifier,
        position,
        created,
        call,
        request ->> 'tool' AS tool,
        request -> 'arguments' AS arguments,
        response,
        handling,
        coalesce((handling = 'error' OR response ~* E'^\\s*(?:\\{\\s*"error"|error\\y)'), FALSE) AS failed,
        CASE WHEN answered THEN next_created END AS responded,
        CASE WHEN answered AND NOT untimed AND NOT next_untimed THEN
            CASE WHEN isfinite(created) AND isfinite(next_created) THEN
    extract(EPOCH FROM next_created) - extract(EPOCH FROM created)
END
        END AS seconds
    FROM (
        SELECT
            *,
            CASE WHEN answered THEN CASE block ->> 'status'
    WHEN 'error' THEN 'error'
    ELSE coalesce(block ->> 'handling', block #>> '{meta,draive_pg_handling}', 'response')
END END AS handling,
            CASE WHEN answered THEN coalesce((
    SELECT string_agg(part #>> '{}', '') FROM jsonb_path_query(coalesce(block -> 'content', block -> 'result'), '$.parts[*].text') AS part
), '') END AS response
        FROM (
            SELECT
                identifier,
                position,
                number,
                created,
                untimed,
                call,
                kind,
                block AS request,
                lead(block, alike) OVER call AS block,
                lead(created, alike) OVER call AS next_created,
                lead(untimed, alike) OVER call AS next_untimed,
                coalesce(lead(asked, alike) OVER call = asked + alike - nth, FALSE) AS answered
            FROM (
                SELECT
                    *,
                    count(*) FILTER (WHERE kind = 'tool_request') OVER call AS asked,
                    row_number() OVER element AS nth,
                    count(*) OVER (
                        element ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
                    )::INT AS alike
                FROM (
                    SELECT
                        element.identifier,
                        element.position,
                        element.moment AS created,
                        meta -> 'untimed' IS NOT NULL AS untimed,
                        call.number,
                        call.kind,
                        call.block,
                        call.block ->> 'identifier' AS call
                    FROM (SELECT
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
    ))) AS element
                    CROSS JOIN LATERAL (
                        SELECT
                            number,
                            coalesce(element.kind, value ->> 'type') AS kind,
                            value AS block
                        FROM jsonb_path_query(
                            CASE
                                WHEN kind IN ('tool_request', 'tool_response') THEN '[]'::JSONB || element.block
                                WHEN kind IS NULL
                                THEN jsonb_path_query_array(element.composite, '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response")')
                            END,
                            '$[*]'
                        ) WITH ORDINALITY AS item (value, number)
                    ) AS call
                ) AS block
                WINDOW
                    call AS (PARTITION BY identifier, call ORDER BY position, number),
                    element AS (PARTITION BY identifier, call, position ORDER BY number)
            ) AS block
            WINDOW call AS (PARTITION BY identifier, call ORDER BY position, number)
        ) AS event
        WHERE kind = 'tool_request'
            AND (NULL::TEXT[] IS NULL OR request ->> 'tool' = ANY (NULL::TEXT[]))
            AND (NULL::TIMESTAMPTZ IS NULL OR created >= NULL::TIMESTAMPTZ)
            AND (NULL::TIMESTAMPTZ IS NULL OR created < NULL::TIMESTAMPTZ)
        
    ) AS event
    ORDER BY identifier, position, number
    
    ) AS frame
