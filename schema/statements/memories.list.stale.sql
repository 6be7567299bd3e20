-- $1 early
-- $2 since
-- $3 until
-- $4 offset
-- $5 limit
SELECT
    conversation.identifier,
    (extract(EPOCH FROM CASE WHEN isfinite(conversation.created) THEN conversation.created END) * 1000000)::INT8,
    (extract(EPOCH FROM CASE WHEN isfinite(held.first) THEN held.first END) * 1000000)::INT8,
    (extract(EPOCH FROM CASE WHEN isfinite(greatest(conversation.created, held.last, kept.last)) THEN greatest(conversation.created, held.last, kept.last) END) * 1000000)::INT8,
    held.elements,
    kept.snapshots,
    held.bytes + kept.bytes,
    (
        SELECT variables ->> 'title'
        FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE snapshot.identifier = conversation.identifier
        ORDER BY created DESC, place DESC
        LIMIT 1
    )
FROM memories AS conversation
CROSS JOIN LATERAL (
    SELECT
        min(created) AS first,
        max(created) AS last,
        count(*) AS elements,
        coalesce(sum(pg_column_size(content)), 0)::INT8 AS bytes
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
    WHERE element.identifier = conversation.identifier
) AS held
CROSS JOIN LATERAL (
    SELECT
        max(created) AS last,
        count(*) AS snapshots,
        coalesce(sum(pg_column_size(variables)), 0)::INT8 AS bytes
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE snapshot.identifier = conversation.identifier
) AS kept
WHERE conversation.identifier = ANY (ARRAY(SELECT identifier FROM (
    WITH early AS MATERIALIZED (
        SELECT conversation.identifier, conversation.created, greatest(
    conversation.created,
    (
        SELECT max(created) FROM memories_elements AS element
        WHERE element.identifier = conversation.identifier
    ),
    (
        SELECT max(created) FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE snapshot.identifier = conversation.identifier
    )
) AS last
        FROM memories AS conversation
        ORDER BY created
        LIMIT $1::INT8
    ),
    certain AS MATERIALIZED (
        SELECT * FROM early
        WHERE (last < (SELECT max(created) FROM early)
                OR (SELECT count(*) FROM early) < $1::INT8)
            AND ($2::TIMESTAMPTZ IS NULL OR last >= $2::TIMESTAMPTZ)
            AND ($3::TIMESTAMPTZ IS NULL OR last < $3::TIMESTAMPTZ)
    ),
    enough AS (
        SELECT count(*) - $4::INT8 >= $5::INT8 AS enough FROM certain
    )
    SELECT identifier, created, last FROM certain WHERE (SELECT enough FROM enough)
    UNION ALL
    SELECT identifier, created, greatest(
    conversation.created,
    (
        SELECT max(created) FROM memories_elements AS element
        WHERE element.identifier = conversation.identifier
    ),
    (
        SELECT max(created) FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE snapshot.identifier = conversation.identifier
    )
) AS last
    FROM memories AS conversation
    WHERE NOT (SELECT enough FROM enough)
        AND ($2::TIMESTAMPTZ IS NULL OR greatest(
    conversation.created,
    (
        SELECT max(created) FROM memories_elements AS element
        WHERE element.identifier = conversation.identifier
    ),
    (
        SELECT max(created) FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE snapshot.identifier = conversation.identifier
    )
) >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR greatest(
    conversation.created,
    (
        SELECT max(created) FROM memories_elements AS element
        WHERE element.identifier = conversation.identifier
    ),
    (
        SELECT max(created) FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE snapshot.identifier = conversation.identifier
    )
) < $3::TIMESTAMPTZ)
    ORDER BY last, identifier
    LIMIT $5::INT8
    OFFSET $4::INT8
) AS page))
ORDER BY greatest(conversation.created, held.last, kept.last) ASC, conversation.identifier
