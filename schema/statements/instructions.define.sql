-- $1 name
-- $2 content
-- $3 described
-- $4 description
-- $5 arguments
-- $6 meta
-- $7 expected_number
-- $8 expected_created
-- $9 placeholders
-- $10 author
-- $11 message
WITH latest AS (
    SELECT document.*
    FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS document
    WHERE document.name = $1::TEXT
    ORDER BY document.created DESC
    LIMIT 1
),
counted AS (
    SELECT
        count(*) AS revisions,
        count(*) FILTER (WHERE revision.created <= latest.created) AS newest,
        max(revision.created) AS last
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
    LEFT JOIN latest ON TRUE
    WHERE revision.name = $1::TEXT
),
proposed AS (
    SELECT
        $2::TEXT AS content,
        CASE
            WHEN $3::BOOLEAN THEN $4::TEXT ELSE latest.description
        END AS description,
        coalesce($5::JSONB, CASE
    WHEN jsonb_typeof(latest.arguments) = 'array'
        AND NOT latest.arguments @? '$[*] ? (!(@.name.type() == "string"))'
        THEN latest.arguments
    ELSE '[]'
END) AS arguments,
        CASE
            WHEN $6::JSONB IS NOT NULL THEN $6::JSONB
            WHEN jsonb_typeof(latest.meta) = 'object' THEN latest.meta
            ELSE '{}'
        END AS meta
    FROM counted
    LEFT JOIN latest ON TRUE
),
checked AS (
    SELECT
        $1::TEXT AS name,
        greatest(clock_timestamp(), counted.last + INTERVAL '1 microsecond') AS created,
        proposed.*,
        (
            ($7::INT8 IS NULL OR counted.newest = $7::INT8)
            AND (
                $8::TIMESTAMPTZ IS NULL
                OR latest.created IS NOT DISTINCT FROM $8::TIMESTAMPTZ
            )
        ) AS expected,
        declared.names,
        cardinality(declared.names) = 0
            OR coalesce($9::TEXT[] <@ declared.names, FALSE) AS fits,
        latest.created IS NULL
            OR (FALSE) IS TRUE
            OR (
                proposed.content::TEXT,
                proposed.description,
                proposed.arguments::TEXT,
                proposed.meta::TEXT
            ) IS DISTINCT FROM (
                latest.content::TEXT,
                latest.description,
                latest.arguments::TEXT,
                latest.meta::TEXT
            ) AS changed
    FROM proposed
    CROSS JOIN counted
    LEFT JOIN latest ON TRUE
    CROSS JOIN LATERAL (
        SELECT ARRAY(
    SELECT argument #>> '{}'
    FROM jsonb_path_query(proposed.arguments, '$[*].name ? (@.type() == "string")') AS argument
) AS names
    ) AS declared
),
written AS (
    INSERT INTO instructions (name, created, content, description, arguments, meta)
    SELECT name, created, content, description, arguments, meta
    FROM checked
    WHERE expected AND fits AND changed
    RETURNING name AS name, created
),
noted AS (
    SELECT name, created, $10::TEXT AS author, $11::TEXT AS message
    FROM written
    WHERE $10::TEXT IS NOT NULL OR $11::TEXT IS NOT NULL
),
annotated AS (
    INSERT INTO draive_pg_revisions (name, created, author, message) SELECT name, created, author, message FROM noted
)
SELECT checked.expected, checked.fits, checked.names, revision.*
FROM checked
LEFT JOIN (
    SELECT
        checked.name,
        counted.revisions + 1 AS revision,
        checked.created,
        checked.content::TEXT AS content,
        checked.description,
        checked.arguments::TEXT AS arguments,
        checked.meta::TEXT AS meta,
        $10::TEXT AS author,
        $11::TEXT AS message,
        ARRAY[]::TEXT[] AS labels,
        TRUE AS current
    FROM written, checked, counted
    UNION ALL
    SELECT 
    document.name,
    ((
        SELECT count(*)
        FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS earlier
        WHERE earlier.name = $1::TEXT AND earlier.created <= document.created
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
        WHERE earlier.name = $1::TEXT AND earlier.created <= document.created
    )) AS revision,
    document.created,
    document.content::TEXT AS content,
    document.description,
    document.arguments::TEXT AS arguments,
    document.meta::TEXT AS meta,
    note.author,
    note.message,
    ARRAY(
        SELECT move.label
        FROM (
    SELECT *
    FROM draive_pg_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        WHERE move.name = $1::TEXT
            AND move.revision = document.created
            AND NOT EXISTS (
                SELECT FROM (
    SELECT *
    FROM draive_pg_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS later
                WHERE later.name = $1::TEXT
                    AND later.label = move.label
                    AND later.moved > move.moved
            )
            AND coalesce(to_jsonb(move) ->> 'digest' = encode(sha256(
        sha256(convert_to(document.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(document.description, document.arguments::TEXT, document.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex'), TRUE)
        ORDER BY move.label
    ) AS labels,
    NOT EXISTS (
        SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS later
        WHERE later.name = $1::TEXT AND later.created > document.created
    ) AS current

    FROM latest AS document
    LEFT JOIN draive_pg_revisions AS note ON note.name = document.name AND note.created = document.created
    WHERE NOT EXISTS (SELECT FROM written)
) AS revision ON TRUE
