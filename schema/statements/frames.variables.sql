-- $1 identifier
-- $2 since
-- $3 until
-- $4 limit
SELECT
    coalesce(frame."created", '-infinity') AS "created",
    frame."identifier"::TEXT AS "identifier",
    frame."variables"::TEXT AS "variables"
FROM (
    SELECT identifier, created, variables
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE ($1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[]))
        AND ($2::TIMESTAMPTZ IS NULL OR created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR created < $3::TIMESTAMPTZ)
    ORDER BY identifier, created, place
    LIMIT $4::INT8
    ) AS frame
