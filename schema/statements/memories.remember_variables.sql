-- $1 identifier
-- $2 variables
INSERT INTO memories_variables (identifier, variables, created)
SELECT $1::TEXT, $2::JSONB, greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond')
FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
WHERE identifier = $1::TEXT
