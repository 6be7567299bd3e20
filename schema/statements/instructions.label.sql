-- $1 name
-- $2 label
-- $3 expected_number
-- $4 expected_created
-- $5 selected_number
-- $6 selected_created
-- $7 selected_label
-- $8 as_of
-- $9 author
-- $10 message
WITH newest AS (
    SELECT 
    move.name,
    move.label,
    (
        SELECT nullif(count(*), 0)
        FROM instructions AS earlier
        WHERE earlier.name = $1::TEXT
            AND earlier.created <= move.revision
            AND EXISTS (
                SELECT FROM instructions AS labelled
                WHERE labelled.name = $1::TEXT AND labelled.created = move.revision
            )
    ) AS number,
    move.revision,
    move.moved,
    move.author,
    move.message

    FROM draive_pg_labels AS move
    WHERE move.name = $1::TEXT AND move.label = $2::TEXT
    ORDER BY move.moved DESC
    LIMIT 1
),
checked AS (
    SELECT
        document.created,
        ($3::INT8 IS NULL OR coalesce(newest.number, 0) = $3::INT8)
            AND (
                $4::TIMESTAMPTZ IS NULL
                OR newest.revision IS NOT DISTINCT FROM $4::TIMESTAMPTZ
            ) AS expected,
        newest.revision IS DISTINCT FROM document.created AS changed,
        greatest(clock_timestamp(), newest.moved + INTERVAL '1 microsecond') AS moved
    FROM instructions AS document
    LEFT JOIN newest ON TRUE
    WHERE document.name = $1::TEXT AND document.created = CASE
    WHEN $5::INT8 IS NOT NULL THEN (
        SELECT revision.created
        FROM instructions AS revision
        WHERE revision.name = $1::TEXT
        ORDER BY revision.created
        OFFSET $5::INT8 - 1
        LIMIT 1
    )
    WHEN $6::TIMESTAMPTZ IS NOT NULL THEN $6::TIMESTAMPTZ
    ELSE CASE
    WHEN $7::TEXT IS NOT NULL THEN (
        SELECT move.revision
        FROM draive_pg_labels AS move
        WHERE move.name = $1::TEXT
            AND move.label = $7::TEXT
            AND ($8::TIMESTAMPTZ IS NULL OR move.moved <= $8::TIMESTAMPTZ)
        ORDER BY move.moved DESC
        LIMIT 1
    )
    ELSE (
        SELECT revision.created
        FROM instructions AS revision
        WHERE revision.name = $1::TEXT
            AND ($8::TIMESTAMPTZ IS NULL OR revision.created <= $8::TIMESTAMPTZ)
        ORDER BY revision.created DESC
        LIMIT 1
    )
END
END
),
written AS (
    INSERT INTO draive_pg_labels (name, label, revision, moved, author, message)
    SELECT $1::TEXT, $2::TEXT, created, moved, $9::TEXT, $10::TEXT
    FROM checked
    WHERE expected AND changed
    RETURNING name, label, revision, moved, author, message
)
SELECT checked.expected, move.*
FROM checked
LEFT JOIN (
    SELECT 
    move.name,
    move.label,
    (
        SELECT nullif(count(*), 0)
        FROM instructions AS earlier
        WHERE earlier.name = $1::TEXT
            AND earlier.created <= move.revision
            AND EXISTS (
                SELECT FROM instructions AS labelled
                WHERE labelled.name = $1::TEXT AND labelled.created = move.revision
            )
    ) AS number,
    move.revision,
    move.moved,
    move.author,
    move.message
 FROM written AS move
    UNION ALL
    SELECT * FROM newest WHERE NOT EXISTS (SELECT FROM written)
) AS move ON TRUE
