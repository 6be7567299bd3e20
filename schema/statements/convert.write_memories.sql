-- $1 lines
WITH given AS (
    SELECT *
    FROM json_to_recordset($1::JSON)
        AS line (identifier TEXT, created TIMESTAMPTZ, stored INT8, rows JSON)
    WHERE stored = (
        SELECT count(*) FROM memories_elements AS stored WHERE stored.identifier = line.identifier
    )
),
item AS (
    SELECT given.identifier, row.value, row.number
    FROM given
    CROSS JOIN LATERAL json_array_elements(given.rows) WITH ORDINALITY AS row (value, number)
),

conversation AS (
    INSERT INTO memories (identifier, created)
    SELECT identifier, created FROM given
    ON CONFLICT (identifier) DO NOTHING
),
written AS (
    INSERT INTO memories_elements (identifier, content, created)
    SELECT identifier, (value -> 'document')::JSONB, (value ->> 'created')::TIMESTAMPTZ
    FROM item
    ORDER BY identifier, number
)
SELECT identifier FROM given
