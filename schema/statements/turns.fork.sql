-- $1 identifier
-- $2 position
-- $3 new_identifier
WITH source AS (
    SELECT identifier, created, turn, payload, payload -> 'content' AS content FROM conversation_memory AS turn
    WHERE thread_id = $1::TEXT
),
numbered AS (
    SELECT
        turn.identifier,
        part.part_number,
        count(*) FILTER (WHERE coalesce(part.starts, turn.content = '[]'))
            OVER (ORDER BY turn.created, turn.identifier, part.part_number) - 1 AS position
    FROM source AS turn
    LEFT JOIN LATERAL (
        SELECT NULL::INT8 AS part_number, TRUE AS starts WHERE turn.turn = 'user'
        UNION ALL
        SELECT number, type IS DISTINCT FROM lag(type) OVER (ORDER BY number)
        FROM (
    SELECT
        item.number,
        CASE WHEN item.event IS NULL THEN item.value ELSE item.value #> '{content,artifact}' END
            AS block,
        CASE
            WHEN item.event IS NULL THEN turn.created
            ELSE coalesce((item.value ->> 'created')::TIMESTAMPTZ, turn.created)
        END AS moment,
        CASE item.event WHEN 'tool_response' THEN 'model_input' ELSE 'model_output' END AS type
    FROM (
        SELECT *, value ->> 'event' AS event
        FROM jsonb_path_query(turn.content, '$[*]') WITH ORDINALITY AS item (value, number)
        OFFSET 0
    ) AS item
    WHERE item.event IS NULL OR item.event IN ('tool_request', 'tool_response')
) AS part
        WHERE turn.turn <> 'user'
    ) AS part ON TRUE
),
kept AS (
    SELECT
        identifier,
        bool_and(position <= $2::INT8) IS NOT FALSE AS whole,
        max(part_number) FILTER (WHERE position <= $2::INT8) AS last
    FROM numbered
    GROUP BY identifier
    HAVING bool_or(position <= $2::INT8) IS NOT FALSE
),
copied AS (
    INSERT INTO conversation_memory (thread_id, identifier, turn, payload, created)
    SELECT
        $3::TEXT,
        source.identifier,
        source.turn,
        CASE
            WHEN kept.whole THEN source.payload
            ELSE jsonb_set(source.payload, '{content}', (
                SELECT jsonb_agg(value ORDER BY number)
                FROM jsonb_array_elements(source.payload -> 'content')
                    WITH ORDINALITY AS part (value, number)
                WHERE number <= kept.last
            ))
        END,
        source.created
    FROM kept
    JOIN source USING (identifier)
    WHERE ($2::INT8 IS NULL OR $2::INT8 <= (SELECT max(position) FROM numbered))
        AND NOT EXISTS (
            SELECT FROM (
        SELECT thread_id AS identifier, min(created) AS created
        FROM conversation_memory
        GROUP BY thread_id
    ) AS target WHERE target.identifier = $3::TEXT
        )
    RETURNING TRUE
)
SELECT
    EXISTS (SELECT FROM source) AS existed,
    (SELECT max(position) + 1 FROM numbered) AS elements,
    EXISTS (SELECT FROM copied) AS created
