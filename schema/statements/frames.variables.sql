-- $1 identifier
-- $2 prefix
-- $3 variables
-- $4 since
-- $5 until
-- $6 limit
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
    AND ($2::TEXT IS NULL OR starts_with(identifier, $2::TEXT))
    AND ($3::JSONB IS NULL OR identifier IN (
        SELECT identifier
        FROM (
            SELECT DISTINCT ON (identifier) identifier, variables
            FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
            ORDER BY identifier, created DESC, place DESC
        ) AS newest
        WHERE variables @> $3::JSONB
    ))
        AND ($4::TIMESTAMPTZ IS NULL OR created >= $4::TIMESTAMPTZ)
        AND ($5::TIMESTAMPTZ IS NULL OR created < $5::TIMESTAMPTZ)
    ORDER BY identifier, created, place
    LIMIT $6::INT8
    ) AS frame
