-- $1 identifier
-- $2 since
-- $3 until
-- $4 limit
SELECT
    frame."revision"::INT8 AS "revision",
    frame."n_chars"::INT8 AS "n_chars",
    frame."current"::BOOLEAN AS "current",
    coalesce(frame."created", '-infinity') AS "created",
    frame."name"::TEXT AS "name",
    frame."description"::TEXT AS "description",
    frame."content"::TEXT AS "content",
    frame."arguments"::TEXT AS "arguments",
    frame."meta"::TEXT AS "meta"
FROM (
    SELECT
        name,
        revision,
        created,
        description,
        content,
        arguments,
        meta,
        length(content) AS n_chars,
        current
    FROM (
        SELECT
            *,
            row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
            created = max(created) OVER (PARTITION BY name) AS current
        FROM instructions
        WHERE $1::TEXT[] IS NULL OR name = ANY ($1::TEXT[])
    ) AS revision
    WHERE ($2::TIMESTAMPTZ IS NULL OR created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR created < $3::TIMESTAMPTZ)
    ORDER BY name, revision
    LIMIT $4::INT8
    ) AS frame
