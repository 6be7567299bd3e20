-- $1 identifier
-- $2 since
-- $3 until
-- $4 limit
SELECT
    frame."revision"::INT8 AS "revision",
    frame."current"::BOOLEAN AS "current",
    coalesce(frame."created", '-infinity') AS "created",
    frame."identifier"::TEXT AS "identifier",
    frame."content"::TEXT AS "content"
FROM (
    SELECT identifier, revision, created, content, current
    FROM (
        SELECT
            *,
            row_number() OVER (PARTITION BY identifier ORDER BY created) AS revision,
            created = max(created) OVER (PARTITION BY identifier) AS current
        FROM configurations
        WHERE $1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[])
    ) AS snapshot
    WHERE ($2::TIMESTAMPTZ IS NULL OR created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR created < $3::TIMESTAMPTZ)
    ORDER BY identifier, revision
    LIMIT $4::INT8
    ) AS frame
