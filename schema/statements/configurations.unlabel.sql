-- $1 name
-- $2 label
-- $3 author
-- $4 message
WITH newest AS (
    SELECT move.revision, move.moved
    FROM draive_pg_configuration_labels AS move
    WHERE move.name = $1::TEXT AND move.label = $2::TEXT
    ORDER BY move.moved DESC
    LIMIT 1
),
removed AS (
    INSERT INTO draive_pg_configuration_labels (name, label, moved, author, message)
    SELECT
        $1::TEXT,
        $2::TEXT,
        greatest(clock_timestamp(), moved + INTERVAL '1 microsecond'),
        $3::TEXT,
        $4::TEXT
    FROM newest
    WHERE revision IS NOT NULL
    RETURNING label
)
SELECT EXISTS (SELECT FROM removed)
