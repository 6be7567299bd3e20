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
        event.identifier,
        event.position,
        event.created,
        event.call,
        event.block ->> 'tool' AS tool,
        event.block -> 'arguments' AS arguments,
        said.response,
        said.handling,
        coalesce((said.handling = 'error' OR said.response ~* '^\s*(?:\{\s*"error"|error\y)'), FALSE) AS failed,
        CASE WHEN event.answered THEN event.next_created END AS responded,
        CASE WHEN event.answered AND NOT event.untimed AND NOT event.next_untimed THEN
            CASE WHEN isfinite(event.created) AND isfinite(event.next_created) THEN
    extract(EPOCH FROM event.next_created) - extract(EPOCH FROM event.created)
END
        END AS seconds
    FROM (
        SELECT
            *,
            lead(block, alike) OVER call AS next,
            lead(created, alike) OVER call AS next_created,
            lead(untimed, alike) OVER call AS next_untimed,
            coalesce(lead(asked, alike) OVER call = asked + alike - nth, FALSE) AS answered
        FROM (
            SELECT
                *,
                count(*) FILTER (WHERE block ->> 'type' = 'tool_request') OVER call AS asked,
                row_number() OVER element AS nth,
                count(*) OVER (
                    element ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
                )::INT AS alike
            FROM (
                SELECT
                    element.identifier,
                    element.position,
                    element.moment AS created,
                    content #> '{meta,untimed}' IS NOT NULL AS untimed,
                    block.number,
                    block.value AS block,
                    block.value ->> 'identifier' AS call
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
    ))) AS element
                CROSS JOIN LATERAL jsonb_path_query(element.content, '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response")')
                    WITH ORDINALITY AS block (value, number)
                WHERE content @? '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response")'
            ) AS block
            WINDOW
                call AS (PARTITION BY identifier, call ORDER BY position, number),
                element AS (PARTITION BY identifier, call, position ORDER BY number)
        ) AS block
        WINDOW call AS (PARTITION BY identifier, call ORDER BY position, number)
    ) AS event
    LEFT JOIN LATERAL (
        SELECT
            event.next ->> 'handling' AS handling,
            (
                SELECT coalesce(string_agg(part #>> '{}', ''), '')
                FROM jsonb_path_query(event.next, '$.content.parts[*].text') AS part
            ) AS response
    ) AS said ON event.answered
    WHERE event.block ->> 'type' = 'tool_request'
        AND (NULL::TEXT[] IS NULL OR event.block ->> 'tool' = ANY (NULL::TEXT[]))
        AND (NULL::TIMESTAMPTZ IS NULL OR event.created >= NULL::TIMESTAMPTZ)
        AND (NULL::TIMESTAMPTZ IS NULL OR event.created < NULL::TIMESTAMPTZ)
    ORDER BY event.identifier, event.position, event.number
    
    ) AS frame
