CREATE OR REPLACE VIEW draive_pg.removed_elements WITH (security_invoker = TRUE) AS
SELECT
    frame."identifier"::TEXT AS "identifier",
    frame."created"::TIMESTAMPTZ AS "created",
    frame."action"::TEXT AS "action",
    frame."removed"::TIMESTAMPTZ AS "removed",
    frame."role"::TEXT AS "role",
    frame."author"::TEXT AS "author",
    frame."reason"::TEXT AS "reason",
    frame."content"::JSONB AS "content"
FROM (
    SELECT *
    FROM draive_pg_removed_elements AS gone
    WHERE (NULL::TEXT[] IS NULL OR identifier = ANY (NULL::TEXT[]))
        AND (NULL::TIMESTAMPTZ IS NULL OR removed >= NULL::TIMESTAMPTZ)
        AND (NULL::TIMESTAMPTZ IS NULL OR removed < NULL::TIMESTAMPTZ)
    ORDER BY removed, identifier, created
    
    ) AS frame
