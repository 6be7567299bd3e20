-- $1 seen
-- $2 revisions
-- $3 labels
-- $4 removals
WITH unchanged AS (
    SELECT name
    FROM json_to_recordset($1::JSON) AS seen (
        name TEXT,
        revisions INT8,
        labels INT8,
        removals INT8
    )
    WHERE revisions = (SELECT count(*) FROM instructions AS stored WHERE stored.name = seen.name)
        AND labels = (SELECT count(*) FROM draive_pg_labels AS move WHERE move.name = seen.name)
        AND removals = (SELECT count(*) FROM draive_pg_removals AS gone WHERE gone.name = seen.name)
),
document AS (
    SELECT
        name,
        created,
        content::TEXT AS content,
        description,
        arguments::JSONB AS arguments,
        meta::JSONB AS meta,
        author,
        message
    FROM json_to_recordset($2::JSON) AS given (
        name TEXT,
        created TIMESTAMPTZ,
        content TEXT,
        description TEXT,
        arguments TEXT,
        meta TEXT,
        author TEXT,
        message TEXT
    )
    WHERE name IN (SELECT name FROM unchanged)
),
written AS (
    INSERT INTO instructions (name, created, content, description, arguments, meta)
    SELECT name, created, content, description, arguments, meta FROM document
    ON CONFLICT DO NOTHING
    RETURNING name AS name, created
),
annotated AS (
    INSERT INTO draive_pg_revisions (name, created, author, message)
    SELECT name, created, author, message
    FROM document
    WHERE author IS NOT NULL OR message IS NOT NULL
    ON CONFLICT DO NOTHING
),
moved AS (
    INSERT INTO draive_pg_labels (name, label, revision, moved, author, message, digest)
    SELECT
        move.name,
        move.label,
        move.revision,
        move.moved,
        move.author,
        move.message,
        CASE WHEN document.name IS NOT NULL THEN encode(sha256(
        sha256(convert_to(document.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(document.description, document.arguments::TEXT, document.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex') END
    FROM json_to_recordset($3::JSON) AS move (
        name TEXT,
        label TEXT,
        revision TIMESTAMPTZ,
        moved TIMESTAMPTZ,
        author TEXT,
        message TEXT
    )
    LEFT JOIN (
        SELECT name, created, content, description, arguments, meta FROM document
        UNION ALL
        SELECT name, created, content, description, arguments, meta FROM instructions AS stored
    ) AS document ON document.name = move.name AND document.created = move.revision
    WHERE move.name IN (SELECT name FROM unchanged)
    ON CONFLICT DO NOTHING
),
removed AS (
    INSERT INTO draive_pg_removals (name, created)
    SELECT name, created
    FROM json_to_recordset($4::JSON) AS removal (name TEXT, created TIMESTAMPTZ)
    WHERE name IN (SELECT name FROM unchanged)
    ON CONFLICT DO NOTHING
)
SELECT name FROM unchanged
