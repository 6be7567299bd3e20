-- $1 name
-- $2 label
-- $3 expected_number
-- $4 expected_created
-- $5 author
-- $6 message
WITH 
newest AS (
    SELECT 
    move.name,
    move.label,
    CASE WHEN EXISTS (
        SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS labelled
        WHERE labelled.name = $1::TEXT AND labelled.created = move.revision
    ) THEN ((
        SELECT count(*)
        FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS earlier
        WHERE earlier.name = $1::TEXT AND earlier.created <= move.revision
    ) + (
        SELECT count(*)
        FROM (
    SELECT gone.name, gone.created
    FROM draive_pg_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS earlier
        WHERE earlier.name = $1::TEXT AND earlier.created <= move.revision
    )) END AS number,
    move.revision,
    move.moved,
    move.author,
    move.message
, to_jsonb(move) ->> 'digest' AS digest
    FROM (
    SELECT *
    FROM draive_pg_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
    WHERE move.name = $1::TEXT AND move.label = $2::TEXT
    ORDER BY move.moved DESC
    LIMIT 1
),
checked AS (
    SELECT newest.*, (
            ($3::INT8 IS NULL OR coalesce(newest.number, 0) = $3::INT8)
            AND (
                $4::TIMESTAMPTZ IS NULL
                OR newest.revision IS NOT DISTINCT FROM $4::TIMESTAMPTZ
            )
        ) AS expected
    FROM (VALUES (TRUE)) AS always
    LEFT JOIN newest ON TRUE
),
removed AS (
    INSERT INTO draive_pg_labels (name, label, moved, author, message)
    SELECT
        $1::TEXT,
        $2::TEXT,
        greatest(clock_timestamp(), moved + INTERVAL '1 microsecond'),
        $5::TEXT,
        $6::TEXT
    FROM checked
    WHERE expected AND revision IS NOT NULL
    RETURNING label
)
SELECT expected, EXISTS (SELECT FROM removed), number, moved FROM checked
