-- $1 text
-- $2 language
-- $3 near
-- $4 model
-- $5 identifier
-- $6 prefix
-- $7 variables
-- $8 since
-- $9 until
-- $10 role
-- $11 speaker
-- $12 tool
-- $13 indexed
-- $14 contained
-- $15 excluded
-- $16 meta
-- $17 error
-- $18 limit
-- $19 marked
SELECT
    frame."position"::INT8 AS "position",
    coalesce(frame."rank"::FLOAT8, 'NaN') AS "rank",
    coalesce(frame."distance"::FLOAT8, 'NaN') AS "distance",
    coalesce(frame."created", '-infinity') AS "created",
    frame."identifier"::TEXT AS "identifier",
    frame."role"::TEXT AS "role",
    frame."speaker"::TEXT AS "speaker",
    frame."excerpt"::TEXT AS "excerpt"
FROM (
    WITH found AS MATERIALIZED (
        SELECT
            identifier,
            created,
            place,
            type,
            kind,
            composite,
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
            END AS rank, distance
        FROM (
            SELECT element.*, nearest.distance
            FROM (
                SELECT
                    identifier,
                    digest,
                    (
                        embedding::{vector}.vector({dimensions})
                        OPERATOR({vector}.<=>) $3::TEXT::{vector}.vector
                    ){exact} AS distance
                FROM draive_pg_embeddings
                WHERE model = $4::TEXT
                {first}
            ) AS nearest
            JOIN (
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
    ) AS element ON element.identifier = nearest.identifier
            CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(part #>> '{}', ' '), '') AS text
        FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
    ) AS spoken
            WHERE sha256(convert_to(spoken.text, 'UTF8')) = nearest.digest
        ) AS element
        WHERE ($5::TEXT[] IS NULL OR identifier = ANY ($5::TEXT[]))
    AND ($6::TEXT IS NULL OR starts_with(identifier, $6::TEXT))
    AND ($7::JSONB IS NULL OR identifier IN (
        SELECT identifier
        FROM (
            SELECT DISTINCT ON (identifier) identifier, variables
            FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
            ORDER BY identifier, created DESC, place DESC
        ) AS newest
        WHERE variables @> $7::JSONB
    ))
            AND ($8::TIMESTAMPTZ IS NULL OR created >= $8::TIMESTAMPTZ)
    AND ($9::TIMESTAMPTZ IS NULL OR created < $9::TIMESTAMPTZ)
    AND ($10::TEXT IS NULL OR type = $10::TEXT)
    AND ($11::TEXT IS NULL OR CASE type
    WHEN 'model_output' THEN 'assistant'
    WHEN 'model_input' THEN CASE WHEN CASE
    WHEN kind IS NOT NULL THEN kind = 'tool_response'
    ELSE composite -> 'blocks' @> '[{"type": "tool_response"}]'
END THEN 'tool' ELSE 'user' END
    ELSE type
END = $11::TEXT)
    AND ($12::TEXT[] IS NULL OR CASE
        WHEN kind IS NULL
        THEN jsonb_path_query_array(composite, '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response").tool') ?| $12::TEXT[]
        ELSE kind IN ('tool_request', 'tool_response') AND block ->> 'tool' = ANY ($12::TEXT[])
    END)
            AND ($1::TEXT IS NULL OR (
                CASE
    WHEN octet_length(jsonb_path_query_array(content, '$.blocks[*].parts[*].text')::TEXT) <= 250000 THEN to_tsvector($2::REGCONFIG, jsonb_path_query_array(content, '$.blocks[*].parts[*].text'))
    ELSE to_tsvector($2::REGCONFIG, replace(left(jsonb_path_query_array(content, '$.blocks[*].parts[*].text')::TEXT, 60000), E'\\n', ' '))
END
            ) @@ websearch_to_tsquery($2::REGCONFIG, $1::TEXT))
            -- Before a turn is split. By `coalesce`, the planner expects many to match, and reads
            -- the newest by an index instead of sorting all that match.
            AND (
                TRUE /*
                $13::TEXT IS NULL OR coalesce(said::TEXT ILIKE $13::TEXT, TRUE)
                */
            )
            -- The first condition can use an index. It matches JSON, so it finds too much.
            AND ($13::TEXT IS NULL OR jsonb_path_query_array(content, '$.blocks[*].parts[*].text')::TEXT ILIKE $13::TEXT)
            AND ($14::TEXT[] IS NULL OR (
                SELECT spoken.text ILIKE ALL ($14::TEXT[])
                    AND NOT spoken.text ILIKE ANY ($15::TEXT[])
                FROM (
        SELECT coalesce(string_agg(part #>> '{}', ' '), '') AS text
        FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
    ) AS spoken
            ))
            AND ($16::JSONB IS NULL OR meta @> $16::JSONB)
            AND ($17::BOOLEAN IS NULL OR $17::BOOLEAN = (CASE
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
END > 0))
        ORDER BY distance, created DESC, identifier, place DESC
        LIMIT $18::INT8
    ),
    numbered AS MATERIALIZED (
        SELECT found.identifier, found.created, found.place, count(*) - 1 AS position
        FROM found
        JOIN (
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
    ) AS before ON before.identifier = found.identifier
            AND before.created <= found.created
            AND (before.created, before.place) <= (found.created, found.place)
        WHERE TRUE /*
            before.identifier = ANY (ARRAY(SELECT identifier FROM found))
        */
        GROUP BY found.identifier, found.created, found.place
    )
    SELECT
        found.identifier,
        numbered.position,
        found.created,
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
        CASE
            WHEN $1::TEXT IS NOT NULL THEN ts_headline(
                $2::REGCONFIG,
                spoken.text,
                websearch_to_tsquery($2::REGCONFIG, $1::TEXT),
                'StartSel=[[, StopSel=]], MaxWords=24, MinWords=12, ShortWord=0, '
                'MaxFragments=2, FragmentDelimiter=" ... "'
            )
            WHEN $19::TEXT IS NOT NULL THEN regexp_replace(
                substr(
                    spoken.text,
                    greatest(1, regexp_instr(spoken.text, $19::TEXT, 1, 1, 0, 'i') - 60),
                    160
                ),
                $19::TEXT,
                E'[[\\1]]',
                'gi'
            )
            WHEN spoken.text <> '' THEN left(spoken.text, 160)
            ELSE left(coalesce(used.text, ''), 160)
        END AS excerpt,
        rank, distance
    FROM found
    JOIN numbered ON numbered.identifier = found.identifier
        AND numbered.created = found.created
        AND numbered.place = found.place
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
    ORDER BY distance, found.created DESC, found.identifier, found.place DESC
    ) AS frame
