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
annotated AS (
    INSERT INTO draive_pg_revisions (name, created, author, message)
    SELECT $2::TEXT, created, note.author, note.message
    FROM draive_pg_revisions AS note
    JOIN source USING (name, created)
),
moves AS (
    SELECT move.*
    FROM draive_pg_labels AS move
    WHERE move.name = $1::TEXT AND EXISTS (SELECT FROM source)
),
labelled AS (
    INSERT INTO draive_pg_labels (name, label, revision, moved, author, message)
    SELECT $2::TEXT, label, revision, moved, author, message FROM moves
    UNION ALL
    SELECT
        $2::TEXT,
        newest.label,
        newest.revision,
        greatest(clock_timestamp(), target.moved + INTERVAL '1 microsecond'),
        newest.author,
        newest.message
    FROM (
        SELECT DISTINCT ON (label) * FROM moves ORDER BY label, moved DESC
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
