-- $1 text
-- $2 language
-- $3 marked
-- $4 identifier
-- $5 prefix
-- $6 variables
-- $7 since
-- $8 until
-- $9 indexed
-- $10 contained
-- $11 excluded
-- $12 role
-- $13 speaker
-- $14 tool
-- $15 meta
-- $16 error
-- $17 limit
SELECT
    frame."position"::INT8 AS "position",
    coalesce(frame."rank"::FLOAT8, 'NaN') AS "rank",
    coalesce(frame."created", '-infinity') AS "created",
    frame."identifier"::TEXT AS "identifier",
    frame."role"::TEXT AS "role",
    frame."speaker"::TEXT AS "speaker",
    frame."excerpt"::TEXT AS "excerpt"
FROM (
    SELECT
        found.identifier,
        (
            SELECT count(*)
            FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS before
            WHERE before.identifier = found.identifier
                AND before.created <= found.created
                AND (before.created, before.place) < (found.created, found.place)
        ) AS position,
        found.created,
        
CASE content ->> 'type'
    WHEN 'model_input' THEN 'input'
    WHEN 'model_output' THEN 'output'
    ELSE content ->> 'type'
END
 AS role,
        
CASE content ->> 'type'
    WHEN 'model_output' THEN 'assistant'
    WHEN 'model_input' THEN CASE WHEN content -> 'blocks' @> '[{"type": "tool_response"}]' THEN 'tool' ELSE 'user' END
    ELSE content ->> 'type'
END
 AS speaker,
        CASE
            WHEN $1::TEXT IS NOT NULL THEN ts_headline(
                $2::REGCONFIG,
                spoken.text,
                websearch_to_tsquery($2::REGCONFIG, $1::TEXT),
                'StartSel=[[, StopSel=]], MaxWords=24, MinWords=12, ShortWord=0, '
                'MaxFragments=2, FragmentDelimiter=" ... "'
            )
            WHEN $3::TEXT IS NOT NULL THEN regexp_replace(
                substr(
                    spoken.text,
                    greatest(1, regexp_instr(spoken.text, $3::TEXT, 1, 1, 0, 'i') - 60),
                    160
                ),
                $3::TEXT,
                '[[\1]]',
                'gi'
            )
            WHEN spoken.text <> '' THEN left(spoken.text, 160)
            ELSE left(coalesce(used.text, ''), 160)
        END AS excerpt,
        found.rank
    FROM (
        SELECT
            identifier,
            created,
            place,
            content,
            CASE
                WHEN $1::TEXT IS NULL THEN 0
                ELSE ts_rank(
                    CASE
    WHEN octet_length(jsonb_path_query_array(content, '$.blocks[*].parts[*].text')::TEXT) <= 250000 THEN to_tsvector($2::REGCONFIG, jsonb_path_query_array(content, '$.blocks[*].parts[*].text'))
    ELSE to_tsvector($2::REGCONFIG, replace(left(jsonb_path_query_array(content, '$.blocks[*].parts[*].text')::TEXT, 60000), E'\\n', ' '))
END,
                    websearch_to_tsquery($2::REGCONFIG, $1::TEXT)
                )
            END AS rank
        FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
        WHERE ($4::TEXT[] IS NULL OR identifier = ANY ($4::TEXT[]))
    AND ($5::TEXT IS NULL OR starts_with(identifier, $5::TEXT))
    AND ($6::JSONB IS NULL OR identifier IN (
        SELECT identifier
        FROM (
            SELECT DISTINCT ON (identifier) identifier, variables
            FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
            ORDER BY identifier, created DESC, place DESC
        ) AS newest
        WHERE variables @> $6::JSONB
    ))
            AND ($7::TIMESTAMPTZ IS NULL OR created >= $7::TIMESTAMPTZ)
            AND ($8::TIMESTAMPTZ IS NULL OR created < $8::TIMESTAMPTZ)
            AND ($1::TEXT IS NULL OR (
                CASE
    WHEN octet_length(jsonb_path_query_array(content, '$.blocks[*].parts[*].text')::TEXT) <= 250000 THEN to_tsvector($2::REGCONFIG, jsonb_path_query_array(content, '$.blocks[*].parts[*].text'))
    ELSE to_tsvector($2::REGCONFIG, replace(left(jsonb_path_query_array(content, '$.blocks[*].parts[*].text')::TEXT, 60000), E'\\n', ' '))
END
            ) @@ websearch_to_tsquery($2::REGCONFIG, $1::TEXT))
            -- The first condition can use an index. It matches JSON, so it finds too much.
            AND ($9::TEXT IS NULL OR jsonb_path_query_array(content, '$.blocks[*].parts[*].text')::TEXT ILIKE $9::TEXT)
            AND ($10::TEXT[] IS NULL OR (
                SELECT spoken.text ILIKE ALL ($10::TEXT[])
                    AND NOT spoken.text ILIKE ANY ($11::TEXT[])
                FROM (
        SELECT coalesce(string_agg(part #>> '{}', ' '), '') AS text
        FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
    ) AS spoken
            ))
            AND ($12::TEXT IS NULL OR content ->> 'type' = $12::TEXT)
            AND ($13::TEXT IS NULL OR 
CASE content ->> 'type'
    WHEN 'model_output' THEN 'assistant'
    WHEN 'model_input' THEN CASE WHEN content -> 'blocks' @> '[{"type": "tool_response"}]' THEN 'tool' ELSE 'user' END
    ELSE content ->> 'type'
END
 = $13::TEXT)
            AND ($14::TEXT[] IS NULL OR jsonb_path_query_array(content, '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response").tool') ?| $14::TEXT[])
            AND ($15::JSONB IS NULL OR content -> 'meta' @> $15::JSONB)
            AND ($16::BOOLEAN IS NULL OR $16::BOOLEAN = (content -> 'blocks' @> '[{"type": "tool_response"}]' AND (
    SELECT count(*)
    FROM jsonb_path_query(content, '$.blocks[*] ? (@.type == "tool_response")') AS block (value)
    WHERE (block.value ->> 'handling' = 'error' OR coalesce((
    SELECT string_agg(part #>> '{}', '')
    FROM jsonb_path_query(block.value, '$.content.parts[*].text') AS part
), '') ~* '^\s*(?:\{\s*"error"|error\y)')
) > 0))
        ORDER BY rank DESC, created DESC, identifier, place DESC
        LIMIT $17::INT8
    ) AS found
    CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(part #>> '{}', ' '), '') AS text
        FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
    ) AS spoken
    CROSS JOIN LATERAL (
        SELECT string_agg(
            concat(
                block ->> 'tool',
                ' ',
                block ->> 'arguments',
                (
                    SELECT string_agg(part #>> '{}', ' ')
                    FROM jsonb_path_query(block, '$.content.parts[*].text') AS part
                )
            ),
            ' '
        ) AS text
        FROM jsonb_path_query(found.content, '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response")') AS block
    ) AS used
    ORDER BY found.rank DESC, found.created DESC, found.identifier, found.place DESC
    ) AS frame
