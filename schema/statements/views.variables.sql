CREATE OR REPLACE VIEW draive_pg.variables WITH (security_invoker = TRUE) AS
SELECT
    frame."identifier"::TEXT AS "identifier",
    frame."created"::TIMESTAMPTZ AS "created",
    frame."variables"::JSONB AS "variables"
FROM (
    SELECT identifier, created, variables
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE (NULL::TEXT[] IS NULL OR identifier = ANY (NULL::TEXT[]))
    AND (NULL::TEXT IS NULL OR starts_with(identifier, NULL::TEXT))
    AND (NULL::JSONB IS NULL OR identifier IN (
        SELECT identifier
        FROM (
            SELECT DISTINCT ON (identifier) identifier, variables
            FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
            ORDER BY identifier, created DESC, place DESC
        ) AS newest
        WHERE variables @> NULL::JSONB
    ))
        AND (NULL::TIMESTAMPTZ IS NULL OR created >= NULL::TIMESTAMPTZ)
        AND (NULL::TIMESTAMPTZ IS NULL OR created < NULL::TIMESTAMPTZ)
    ORDER BY identifier, created, place
    
    ) AS frame
