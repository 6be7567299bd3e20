-- $1 name
-- $2 new_name
WITH source AS (
    SELECT document.*
    FROM instructions AS document
    WHERE document.name = $1::TEXT
        AND NOT EXISTS (
            SELECT FROM instructions AS target WHERE target.name = $2::TEXT
        )
),
copied AS (
    INSERT INTO instructions (name, created, content, description, arguments, meta)
    SELECT name, created, content, description, arguments, meta FROM (
        SELECT $2::TEXT AS name, created, content, description, arguments, meta FROM source
    ) AS revision
    RETURNING created
),
numbered AS (
    SELECT name, created, kept
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
    WHERE name IN ($1::TEXT, $2::TEXT) AND EXISTS (SELECT FROM source)
),
renumbered AS (
    INSERT INTO draive_pg_removals (name, created)
    SELECT $2::TEXT, created FROM numbered WHERE name = $1::TEXT AND NOT kept
    UNION ALL
    SELECT
        $2::TEXT,
        (SELECT min(created) FROM numbered) - row_number() OVER () * INTERVAL '1 microsecond'
    FROM numbered AS target
    WHERE name = $2::TEXT
        AND created > (SELECT min(created) FROM numbered WHERE name = $1::TEXT)
        AND NOT EXISTS (
            SELECT FROM numbered AS own
            WHERE own.name = $1::TEXT AND own.created = target.created
        )
    ON CONFLICT DO NOTHING
),
annotated AS (
    INSERT INTO draive_pg_revisions (name, created, author, message)
    SELECT $2::TEXT, created, note.author, note.message
    FROM draive_pg_revisions AS note
    JOIN source USING (name, created)
),
moved AS (
    SELECT move.*
    FROM draive_pg_labels AS move
    WHERE move.name = $1::TEXT AND EXISTS (SELECT FROM source)
),
labelled AS (
    INSERT INTO draive_pg_labels (name, label, revision, moved, author, message, digest)
    SELECT $2::TEXT, label, revision, moved, author, message, digest FROM moved
    UNION ALL
    SELECT
        $2::TEXT,
        newest.label,
        newest.revision,
        greatest(clock_timestamp(), target.moved + INTERVAL '1 microsecond'),
        newest.author,
        newest.message,
        newest.digest
    FROM (
        SELECT DISTINCT ON (label) * FROM moved ORDER BY label, moved DESC
    ) AS newest
    JOIN (
        SELECT label, max(moved) AS moved
        FROM draive_pg_labels AS earlier
        WHERE earlier.name = $2::TEXT
        GROUP BY label
    ) AS target ON target.label = newest.label AND target.moved > newest.moved
),
unlabelled AS (
    DELETE FROM draive_pg_labels WHERE name = $1::TEXT AND EXISTS (SELECT FROM source)
),
removed AS (
    DELETE FROM instructions WHERE name = $1::TEXT AND EXISTS (SELECT FROM source)
)
SELECT
    EXISTS (SELECT FROM instructions AS document WHERE document.name = $1::TEXT) AS existed,
    EXISTS (SELECT FROM copied) AS renamed
