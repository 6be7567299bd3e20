-- $1 identifier
-- $2 number
-- $3 action
-- $4 author
-- $5 reason
-- $6 erase
WITH chosen AS MATERIALIZED (
    SELECT identifier, created, place, content
    FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
    WHERE identifier = $1::TEXT
    ORDER BY created DESC, place DESC
    LIMIT $2::INT8
),
checked AS (SELECT NULL::TEXT AS refusal),
removed_elements AS (
    SELECT identifier, created, place FROM chosen WHERE (SELECT refusal FROM checked) IS NULL
),
deleted_elements AS (
    DELETE FROM memories_elements
    WHERE ctid = ANY (ARRAY(SELECT place FROM removed_elements))
        AND identifier = (SELECT min(identifier) FROM removed_elements)
),
forgotten AS (
    DELETE FROM draive_pg_annotations AS annotation
    WHERE identifier = $1::TEXT
        AND occurrence > (
            SELECT count(*) FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
            WHERE element.identifier = $1::TEXT
                AND encode(sha256(convert_to(content::TEXT, 'UTF8')), 'hex') = annotation.digest
                AND element.place NOT IN (SELECT place FROM chosen)
        )
        AND (SELECT refusal FROM checked) IS NULL
),
kept AS (
    INSERT INTO draive_pg_removed_elements (
        identifier, created, action, author, reason, content
    )
    SELECT identifier, created, $3::TEXT, $4::TEXT, $5::TEXT, content
    FROM chosen
    WHERE NOT $6::BOOLEAN AND (SELECT refusal FROM checked) IS NULL
    ORDER BY created, place
)
SELECT (SELECT refusal FROM checked), content::TEXT FROM chosen ORDER BY created, place
