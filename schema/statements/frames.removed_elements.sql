-- $1 identifier
-- $2 since
-- $3 until
-- $4 limit
SELECT
    coalesce(frame."created", '-infinity') AS "created",
    coalesce(frame."removed", '-infinity') AS "removed",
    frame."identifier"::TEXT AS "identifier",
    frame."action"::TEXT AS "action",
    frame."role"::TEXT AS "role",
    frame."author"::TEXT AS "author",
    frame."reason"::TEXT AS "reason",
    frame."content"::TEXT AS "content"
FROM (
    SELECT *
    FROM draive_pg_removed_elements AS gone
    WHERE ($1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[]))
        AND ($2::TIMESTAMPTZ IS NULL OR removed >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR removed < $3::TIMESTAMPTZ)
    ORDER BY removed, identifier, created
    LIMIT $4::INT8
    ) AS frame
