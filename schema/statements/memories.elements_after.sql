-- $1 after_time
-- $2 before_time
-- $3 identifier
-- $4 after_place
-- $5 before_place
-- $6 limit
WITH bounds AS (
    SELECT
        CASE WHEN $1::TEXT LIKE '%infinity' THEN $1::TEXT ELSE 'epoch' END::TIMESTAMPTZ
    + CASE WHEN $1::TEXT LIKE '%infinity' THEN INTERVAL '0' ELSE make_interval(
        hours => ($1::TEXT::INT8 / 3600000000)::INT,
        secs => ($1::TEXT::INT8 % 3600000000)::FLOAT8 / 1000000
    ) END AS after,
        CASE WHEN $2::TEXT LIKE '%infinity' THEN $2::TEXT ELSE 'epoch' END::TIMESTAMPTZ
    + CASE WHEN $2::TEXT LIKE '%infinity' THEN INTERVAL '0' ELSE make_interval(
        hours => ($2::TEXT::INT8 / 3600000000)::INT,
        secs => ($2::TEXT::INT8 % 3600000000)::FLOAT8 / 1000000
    ) END AS before
),
page AS (
    SELECT created, place, moment, content
    FROM (
        SELECT
            identifier,
            created,
            created AS moment,
            ctid AS place,
            xmin AS writer,
            content,
            content ->> 'type' AS type,
            content -> 'meta' AS meta,
            CASE
                WHEN content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL
                THEN coalesce(content #>> '{blocks,0,type}', 'content')
            END AS kind,
            content #> '{blocks,0}' AS block,
            content AS composite
        FROM memories_elements
    ) AS element
    WHERE identifier = $3::TEXT
        AND (created, place) > ((SELECT after FROM bounds), $4::TID)
        AND (created, place) < ((SELECT before FROM bounds), $5::TID)
    ORDER BY created ASC, place ASC
    LIMIT $6::INT8
),
first AS (
    SELECT created, place FROM page ORDER BY created, place LIMIT 1
)
SELECT
    (
        SELECT count(*) FROM (
        SELECT
            identifier,
            created,
            created AS moment,
            ctid AS place,
            xmin AS writer,
            content,
            content ->> 'type' AS type,
            content -> 'meta' AS meta,
            CASE
                WHEN content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL
                THEN coalesce(content #>> '{blocks,0,type}', 'content')
            END AS kind,
            content #> '{blocks,0}' AS block,
            content AS composite
        FROM memories_elements
    ) AS element
        WHERE identifier = $3::TEXT AND created < (SELECT created FROM first)
    ) + (
        SELECT count(*) FROM (
        SELECT
            identifier,
            created,
            created AS moment,
            ctid AS place,
            xmin AS writer,
            content,
            content ->> 'type' AS type,
            content -> 'meta' AS meta,
            CASE
                WHEN content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL
                THEN coalesce(content #>> '{blocks,0,type}', 'content')
            END AS kind,
            content #> '{blocks,0}' AS block,
            content AS composite
        FROM memories_elements
    ) AS element
        WHERE identifier = $3::TEXT
            AND created = (SELECT created FROM first)
            AND place < (SELECT place FROM first)
    ) + row_number() OVER (ORDER BY created, place) - 1,
    (extract(EPOCH FROM CASE WHEN isfinite(moment) THEN moment END) * 1000000)::INT8,
    
CASE WHEN isfinite(created)
    THEN to_char((extract(EPOCH FROM created) * 1000000)::INT8, 'FM9999999990000000000')
    ELSE created::TEXT
END || CASE
    WHEN count(*) OVER (PARTITION BY created) > 1 OR created IN (bounds.after, bounds.before)
        THEN place::TEXT
    ELSE ''
END,
    content::TEXT
FROM page, bounds
ORDER BY created, place
