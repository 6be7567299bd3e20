-- $1 time
-- $2 identifier
-- $3 offset
-- $4 place
-- $5 content
-- $6 action
-- $7 author
-- $8 reason
-- $9 erase
WITH moment AS MATERIALIZED (
    SELECT coalesce(CASE WHEN $1::TEXT LIKE '%infinity' THEN $1::TEXT ELSE 'epoch' END::TIMESTAMPTZ
    + CASE WHEN $1::TEXT LIKE '%infinity' THEN INTERVAL '0' ELSE make_interval(
        hours => ($1::TEXT::INT8 / 3600000000)::INT,
        secs => ($1::TEXT::INT8 % 3600000000)::FLOAT8 / 1000000
    ) END, (
        SELECT created
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
        WHERE identifier = $2::TEXT
        ORDER BY created
        LIMIT 1
        OFFSET $3::INT8
    )) AS created
),
anchor AS (
    SELECT
        created,
        coalesce((SELECT $4::TID), (
            SELECT place
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
            WHERE identifier = $2::TEXT AND element.created = moment.created
            ORDER BY place
            LIMIT 1
            OFFSET CASE WHEN (
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
    ) AS alike
                WHERE identifier = $2::TEXT AND alike.created = moment.created
            ) > 1 THEN $3::INT8 - (
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
    ) AS earlier
                WHERE identifier = $2::TEXT AND earlier.created < moment.created
            ) END
        )) AS place
    FROM moment
),
chosen AS MATERIALIZED (
    SELECT identifier, created, place, content
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
    WHERE identifier = $2::TEXT
    AND created = (SELECT created FROM anchor) AND place = (SELECT place FROM anchor)
),
checked AS (SELECT NULL::TEXT AS refusal),
following AS (
    SELECT
        *,
        max(written - number * INTERVAL '1 microsecond') OVER (ORDER BY number) + number * INTERVAL '1 microsecond' AS moved
    FROM (
        SELECT
            identifier,
            created,
            place,
            content,
            row_number() OVER ordered AS number,
            created + CASE
                WHEN row_number() OVER ordered = 1 AND EXISTS (
                    SELECT FROM (
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
    ) AS earlier
                    WHERE earlier.identifier = $2::TEXT
                        AND earlier.created = element.created
                        AND earlier.place < element.place
                ) THEN INTERVAL '1 microsecond'
                ELSE INTERVAL '0'
            END AS written
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
        WHERE identifier = $2::TEXT
            AND (created, place) >= ((SELECT created FROM chosen), (SELECT place FROM chosen))
        WINDOW ordered AS (ORDER BY created, place)
        ORDER BY created, place
        LIMIT CASE WHEN (
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
    ) AS alike
            WHERE alike.identifier = $2::TEXT
                AND alike.created = (SELECT created FROM anchor)
        ) = 1 THEN 1 END
    ) AS element
),
changed AS MATERIALIZED (SELECT * FROM following WHERE number = 1 OR moved <> created),
removed_elements AS (SELECT identifier, created, place FROM changed),
digests AS (
    SELECT
        created,
        place,
        encode(sha256(convert_to(content::TEXT, 'UTF8')), 'hex') AS digest,
        (created, place) IN (SELECT created, place FROM chosen) AS is_chosen
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
    WHERE identifier = $2::TEXT
        AND EXISTS (
            SELECT FROM draive_pg_annotations AS annotation
            WHERE annotation.identifier = $2::TEXT AND digest IS NOT NULL
        )
),
numbered AS MATERIALIZED (
    SELECT
        digest,
        is_chosen,
        row_number() OVER (PARTITION BY digest ORDER BY created, place) AS occurrence,
        row_number() OVER (
            PARTITION BY CASE WHEN is_chosen THEN encode(sha256(convert_to($5::JSONB::TEXT, 'UTF8')), 'hex') ELSE digest END
            ORDER BY created, place
        ) AS number
    FROM digests
),
forgotten AS (
    DELETE FROM draive_pg_annotations AS annotation
    WHERE identifier = $2::TEXT
        AND digest IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM numbered
            WHERE numbered.digest = annotation.digest
                AND numbered.occurrence = annotation.occurrence
                AND number = numbered.occurrence
                AND NOT is_chosen
        )
        AND (SELECT refusal FROM checked) IS NULL
    RETURNING *
),
renumbered AS (
    INSERT INTO draive_pg_annotations (identifier, id, digest, occurrence, name, score, comment, tags, author, annotated)
    SELECT identifier, id, digest, number, name, score, comment, tags, author, annotated
    FROM forgotten
    JOIN numbered USING (digest, occurrence)
    WHERE NOT is_chosen
),
deleted_elements AS (
    DELETE FROM memories_elements
    WHERE ctid = ANY (ARRAY(SELECT place FROM removed_elements))
        AND identifier = (SELECT min(identifier) FROM removed_elements)
        AND (created, ctid) IN (SELECT created, place FROM removed_elements)
),
kept AS (
    INSERT INTO draive_pg_removed_elements (
        identifier, created, action, author, reason, content
    )
    SELECT identifier, created, $6::TEXT, $7::TEXT, $8::TEXT, content
    FROM chosen
    WHERE NOT $9::BOOLEAN AND (SELECT refusal FROM checked) IS NULL
    ORDER BY created, place
),
new_elements AS (
    SELECT
        identifier,
        number,
        CASE number WHEN 1 THEN $5::JSONB ELSE content END AS content,
        moved AS created
    FROM changed
),
inserted_elements AS (
    INSERT INTO memories_elements (identifier, content, created)
    SELECT identifier, content, created FROM new_elements ORDER BY identifier, number
)
SELECT (SELECT refusal FROM checked), content::TEXT FROM chosen ORDER BY created, place
