-- $1 identifier
-- $2 defaults
INSERT INTO memories_variables (identifier, variables, created)
SELECT
    $1::TEXT,
    $2::JSONB || coalesce(current.variables, '{}'),
    greatest(clock_timestamp(), current.created + INTERVAL '1 microsecond')
FROM (SELECT) AS one_row
LEFT JOIN (
    SELECT
        CASE jsonb_typeof(variables) WHEN 'object' THEN variables ELSE '{}' END AS variables,
        created
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE identifier = $1::TEXT
    ORDER BY created DESC, place DESC
    LIMIT 1
) AS current ON TRUE
WHERE $2::JSONB || coalesce(current.variables, '{}') IS DISTINCT FROM current.variables
