-- $1 identifier
-- $2 prefix
-- $3 variables
-- $4 since
-- $5 until
-- $6 model
SELECT count(DISTINCT spoken.text)
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
CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(part #>> '{}', ' '), '') AS text
        FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
    ) AS spoken
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
    AND spoken.text ~ E'\\S'
    AND NOT EXISTS (
        SELECT FROM draive_pg_embeddings AS stored
        WHERE stored.identifier = element.identifier
            AND stored.model = $6::TEXT
            AND stored.digest = sha256(convert_to(spoken.text, 'UTF8'))
        OFFSET 0
    )
