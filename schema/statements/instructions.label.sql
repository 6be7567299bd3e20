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
    SELECT
        document.created,
        encode(sha256(
        sha256(convert_to(document.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(document.description, document.arguments::TEXT, document.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex') AS digest,
        CASE
            WHEN position('{' IN document.content) > 0 OR position('}' IN document.content) > 0
            THEN document.content
        END AS fillable,
        (
            ($3::INT8 IS NULL OR coalesce(newest.number, 0) = $3::INT8)
            AND (
                $4::TIMESTAMPTZ IS NULL
                OR newest.revision IS NOT DISTINCT FROM $4::TIMESTAMPTZ
            )
        ) AS expected,
        newest.revision IS DISTINCT FROM document.created
            OR newest.digest <> encode(sha256(
        sha256(convert_to(document.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(document.description, document.arguments::TEXT, document.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex') AS changed,
        greatest(clock_timestamp(), newest.moved + INTERVAL '1 microsecond') AS moved
    FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS document
    LEFT JOIN newest ON TRUE
    WHERE document.name = $1::TEXT AND document.created = CASE
    WHEN $5::INT8 IS NOT NULL THEN (
        SELECT revision.created
        FROM (
    SELECT kept.name, kept.created, TRUE AS kept FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS kept
    UNION ALL
    SELECT removed.name, removed.created, FALSE FROM (
    SELECT gone.name, gone.created
    FROM draive_pg_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS removed
) AS revision
        WHERE revision.name = $1::TEXT
        ORDER BY revision.created
        OFFSET $5::INT8 - 1
        LIMIT 1
    )
    WHEN $6::TIMESTAMPTZ IS NOT NULL THEN $6::TIMESTAMPTZ
    ELSE CASE
    WHEN $7::TEXT IS NOT NULL THEN (
    SELECT labelled.created
    FROM (
        SELECT move.*
        FROM (
    SELECT *
    FROM draive_pg_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        WHERE move.name = $1::TEXT AND move.label = $7::TEXT AND ($8::TIMESTAMPTZ IS NULL OR move.moved <= $8::TIMESTAMPTZ)
        ORDER BY move.moved DESC
        LIMIT 1
    ) AS newest
    JOIN (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS labelled
        ON labelled.name = $1::TEXT AND labelled.created = newest.revision
    WHERE coalesce(to_jsonb(newest) ->> 'digest' = encode(sha256(
        sha256(convert_to(labelled.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(labelled.description, labelled.arguments::TEXT, labelled.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex'), TRUE)
)
    ELSE (
        SELECT revision.created
        FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS revision
        WHERE revision.name = $1::TEXT
            AND ($8::TIMESTAMPTZ IS NULL OR revision.created <= $8::TIMESTAMPTZ)
        ORDER BY revision.created DESC
        LIMIT 1
    )
END
END
),
written AS (
    INSERT INTO draive_pg_labels (name, label, revision, moved, author, message, digest)
    SELECT $1::TEXT, $2::TEXT, created, moved, $9::TEXT, $10::TEXT, digest
    FROM checked
    WHERE expected AND changed
    RETURNING name, label, revision, moved, author, message
)
SELECT
    checked.expected,
    CASE WHEN checked.changed THEN checked.fillable END,
    checked.changed IS TRUE,
    move.*
FROM checked
LEFT JOIN (
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
 FROM written AS move
    UNION ALL
    SELECT name, label, number, revision, moved, author, message
    FROM newest
    WHERE NOT EXISTS (SELECT FROM written)
) AS move ON TRUE
