-- $1 identifiers
SELECT identifier, kind, written, document
FROM (
    SELECT
        identifier,
        0 AS kind,
        (to_json(created AT TIME ZONE 'UTC') #>> '{}') || CASE WHEN isfinite(created) THEN 'Z' ELSE '' END AS written,
        '' AS document,
        created,
        NULL AS place
    FROM memories AS conversation
    WHERE identifier = ANY ($1::TEXT[])
    UNION ALL
    SELECT identifier, 1, (to_json(created AT TIME ZONE 'UTC') #>> '{}') || CASE WHEN isfinite(created) THEN 'Z' ELSE '' END, variables::TEXT, created, place
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE identifier = ANY ($1::TEXT[])
    UNION ALL
    SELECT identifier, 2, (to_json(moment AT TIME ZONE 'UTC') #>> '{}') || CASE WHEN isfinite(moment) THEN 'Z' ELSE '' END, content::TEXT, created, place
    FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
    WHERE identifier = ANY ($1::TEXT[])
) AS stored
ORDER BY identifier, kind, created, place
