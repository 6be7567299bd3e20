CREATE OR REPLACE VIEW draive_pg.audit WITH (security_invoker = TRUE) AS
SELECT
    frame."kind"::TEXT AS "kind",
    frame."name"::TEXT AS "name",
    frame."action"::TEXT AS "action",
    frame."time"::TIMESTAMPTZ AS "time",
    frame."revision"::INT8 AS "revision",
    frame."revision_created"::TIMESTAMPTZ AS "revision_created",
    frame."label"::TEXT AS "label",
    frame."author"::TEXT AS "author",
    frame."message"::TEXT AS "message",
    frame."role"::TEXT AS "role",
    frame."digest"::TEXT AS "digest"
FROM (
    SELECT
        'instructions' AS kind,
        event.name,
        event.action,
        event.time,
        coalesce(numbered.revision, 0) AS revision,
        event.created AS revision_created,
        event.label,
        event.author,
        event.message,
        event.role,
        event.digest
    FROM (
        SELECT
            document.name,
            'define' AS action,
            document.created AS time,
            document.created,
            NULL AS label,
            note.author,
            note.message,
            NULL AS role,
            encode(sha256(convert_to(document.content::TEXT, 'UTF8')), 'hex') AS digest
        FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS document
        LEFT JOIN draive_pg_revisions AS note USING (name, created)
        UNION ALL
        SELECT
            name, 'define', created, created, NULL, revision_author, revision_message, NULL, digest
        FROM draive_pg_removed AS gone
        WHERE kind = 'instructions'
            AND NOT EXISTS (
                SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
                WHERE again.name = gone.name AND again.created = gone.created
            )
        UNION ALL
        SELECT
            name,
            CASE WHEN revision IS NULL THEN 'unlabel' ELSE 'label' END,
            moved,
            revision,
            label,
            author,
            message,
            NULL,
            NULL
        FROM (
    SELECT *
    FROM draive_pg_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        UNION ALL
        SELECT name, 'remove', removed, created, NULL, author, message, role, digest
        FROM draive_pg_removed AS gone
        WHERE kind = 'instructions'
    ) AS event
    LEFT JOIN (
        
    SELECT
        name,
        created,
        row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
        created = max(created) FILTER (WHERE kept) OVER (PARTITION BY name) AS current
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
        WHERE NULL::TEXT[] IS NULL OR name = ANY (NULL::TEXT[])
    ) AS numbered ON numbered.name = event.name AND numbered.created = event.created
    WHERE (NULL::TEXT[] IS NULL OR event.name = ANY (NULL::TEXT[]))
        AND (NULL::TIMESTAMPTZ IS NULL OR event.time >= NULL::TIMESTAMPTZ)
        AND (NULL::TIMESTAMPTZ IS NULL OR event.time < NULL::TIMESTAMPTZ)
UNION ALL
    SELECT
        'templates' AS kind,
        event.name,
        event.action,
        event.time,
        coalesce(numbered.revision, 0) AS revision,
        event.created AS revision_created,
        event.label,
        event.author,
        event.message,
        event.role,
        event.digest
    FROM (
        SELECT
            document.name,
            'define' AS action,
            document.created AS time,
            document.created,
            NULL AS label,
            note.author,
            note.message,
            NULL AS role,
            encode(sha256(convert_to(document.content::TEXT, 'UTF8')), 'hex') AS digest
        FROM (
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
        LEFT JOIN draive_pg_template_revisions AS note USING (name, created)
        UNION ALL
        SELECT
            name, 'define', created, created, NULL, revision_author, revision_message, NULL, digest
        FROM draive_pg_removed AS gone
        WHERE kind = 'templates'
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
        UNION ALL
        SELECT
            name,
            CASE WHEN revision IS NULL THEN 'unlabel' ELSE 'label' END,
            moved,
            revision,
            label,
            author,
            message,
            NULL,
            NULL
        FROM (
    SELECT *
    FROM draive_pg_template_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        UNION ALL
        SELECT name, 'remove', removed, created, NULL, author, message, role, digest
        FROM draive_pg_removed AS gone
        WHERE kind = 'templates'
    ) AS event
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
    ) AS numbered ON numbered.name = event.name AND numbered.created = event.created
    WHERE (NULL::TEXT[] IS NULL OR event.name = ANY (NULL::TEXT[]))
        AND (NULL::TIMESTAMPTZ IS NULL OR event.time >= NULL::TIMESTAMPTZ)
        AND (NULL::TIMESTAMPTZ IS NULL OR event.time < NULL::TIMESTAMPTZ)
UNION ALL
    SELECT
        'configurations' AS kind,
        event.name,
        event.action,
        event.time,
        coalesce(numbered.revision, 0) AS revision,
        event.created AS revision_created,
        event.label,
        event.author,
        event.message,
        event.role,
        event.digest
    FROM (
        SELECT
            document.name,
            'define' AS action,
            document.created AS time,
            document.created,
            NULL AS label,
            note.author,
            note.message,
            NULL AS role,
            encode(sha256(convert_to(document.content::TEXT, 'UTF8')), 'hex') AS digest
        FROM (
    SELECT * FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS document
        LEFT JOIN draive_pg_configuration_revisions AS note USING (name, created)
        UNION ALL
        SELECT
            name, 'define', created, created, NULL, revision_author, revision_message, NULL, digest
        FROM draive_pg_removed AS gone
        WHERE kind = 'configurations'
            AND NOT EXISTS (
                SELECT FROM (
    SELECT * FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
                WHERE again.name = gone.name AND again.created = gone.created
            )
        UNION ALL
        SELECT
            name,
            CASE WHEN revision IS NULL THEN 'unlabel' ELSE 'label' END,
            moved,
            revision,
            label,
            author,
            message,
            NULL,
            NULL
        FROM (
    SELECT *
    FROM draive_pg_configuration_labels AS stored
    WHERE (stored.moved >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.moved < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND (stored.revision IS NULL OR (stored.revision >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.revision < TIMESTAMPTZ '9999-12-30 00:00:00Z'))
) AS move
        UNION ALL
        SELECT name, 'remove', removed, created, NULL, author, message, role, digest
        FROM draive_pg_removed AS gone
        WHERE kind = 'configurations'
    ) AS event
    LEFT JOIN (
        
    SELECT
        name,
        created,
        row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
        created = max(created) FILTER (WHERE kept) OVER (PARTITION BY name) AS current
    FROM (
    SELECT kept.name, kept.created, TRUE AS kept FROM (
    SELECT * FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS kept
    UNION ALL
    SELECT removed.name, removed.created, FALSE FROM (
    SELECT gone.name, gone.created
    FROM draive_pg_configuration_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
    SELECT * FROM (
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM configurations
        ) AS stored
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS removed
) AS revision
        WHERE NULL::TEXT[] IS NULL OR name = ANY (NULL::TEXT[])
    ) AS numbered ON numbered.name = event.name AND numbered.created = event.created
    WHERE (NULL::TEXT[] IS NULL OR event.name = ANY (NULL::TEXT[]))
        AND (NULL::TIMESTAMPTZ IS NULL OR event.time >= NULL::TIMESTAMPTZ)
        AND (NULL::TIMESTAMPTZ IS NULL OR event.time < NULL::TIMESTAMPTZ)
 ORDER BY time, kind, name, action ) AS frame
