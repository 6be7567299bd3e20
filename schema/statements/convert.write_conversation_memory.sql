-- $1 lines
WITH given AS (
    SELECT *
    FROM json_to_recordset($1::JSON)
        AS line (identifier TEXT, created TIMESTAMPTZ, stored INT8, rows JSON)
    WHERE stored = (
        SELECT count(*) FROM conversation_memory AS stored WHERE stored.thread_id = line.identifier
    )
),
item AS (
    SELECT given.identifier, row.value, row.number
    FROM given
    CROSS JOIN LATERAL json_array_elements(given.rows) WITH ORDINALITY AS row (value, number)
),

written AS (
    INSERT INTO conversation_memory (thread_id, identifier, turn, payload, created)
    SELECT
        identifier,
        (value #>> '{document,identifier}')::UUID,
        value #>> '{document,turn}',
        (value -> 'document')::JSONB,
        (value ->> 'created')::TIMESTAMPTZ
    FROM item
    ORDER BY identifier, number
)
SELECT identifier FROM given
