CREATE OR REPLACE VIEW draive_pg.template_revisions WITH (security_invoker = TRUE) AS
SELECT
    frame."identifier"::TEXT AS "identifier",
    frame."revision"::INT8 AS "revision",
    frame."created"::TIMESTAMPTZ AS "created",
    frame."description"::TEXT AS "description",
    frame."content"::TEXT AS "content",
    frame."variables"::JSONB AS "variables",
    frame."meta"::JSONB AS "meta",
    frame."n_chars"::INT8 AS "n_chars",
    frame."author"::TEXT AS "author",
    frame."message"::TEXT AS "message",
    frame."labels"::JSONB AS "labels",
    frame."current"::BOOLEAN AS "current"
FROM (
    SELECT
        revision.*,
        name AS identifier,
        arguments AS variables,
        length(content::TEXT) AS n_chars,
        note.author,
        note.message,
        coalesce(labelled.labels, '[]') AS labels
    FROM (
        SELECT
            document.name,
            document.created,
            document.description,
            document.content,
            document.arguments,
            document.meta,
            coalesce(numbered.revision, 0) AS revision,
            coalesce(numbered.current, FALSE) AS current
        FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS document
        LEFT JOIN (
            
    SELECT
        name,
        created,
        row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
        created = max(created) FILTER (WHERE kept) OVER (PARTITION BY name) AS current
    FROM (
    SELECT kept.name, kept.created, TRUE AS kept FROM (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS kept
    UNION ALL
    SELECT removed.name, removed.created, FALSE FROM (
    SELECT gone.name, gone.created
    FROM draive_pg_template_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS removed
) AS revision
            WHERE NULL::TEXT[] IS NULL OR name = ANY (NULL::TEXT[])
        ) AS numbered USING (name, created)
        WHERE NULL::TEXT[] IS NULL OR name = ANY (NULL::TEXT[])
    ) AS revision
    LEFT JOIN draive_pg_template_revisions AS note USING (name, created)
    LEFT JOIN (
        SELECT
            move.name,
            move.revision AS created,
            json_agg(move.label ORDER BY move.label) AS labels
        FROM (
    SELECT DISTINCT ON (name, label) * FROM (
    SELECT *
    FROM draive_pg_template_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move ORDER BY name, label, moved DESC
) AS move
        JOIN (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS document
            ON document.name = move.name AND document.created = move.revision
        WHERE (NULL::TEXT[] IS NULL OR move.name = ANY (NULL::TEXT[]))
            AND coalesce(to_jsonb(move) ->> 'digest' = encode(sha256(
        sha256(convert_to(document.content::TEXT, 'UTF8'))
        || convert_to(
            ROW(document.description, document.arguments::TEXT, document.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex'), TRUE)
        GROUP BY move.name, move.revision
    ) AS labelled USING (name, created)
    WHERE (NULL::TIMESTAMPTZ IS NULL OR created >= NULL::TIMESTAMPTZ)
        AND (NULL::TIMESTAMPTZ IS NULL OR created < NULL::TIMESTAMPTZ)
    ORDER BY name, created
    
    ) AS frame
