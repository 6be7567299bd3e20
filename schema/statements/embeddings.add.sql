-- $1 model
-- $2 identifiers
-- $3 digests
-- $4 embeddings
INSERT INTO draive_pg_embeddings (identifier, model, digest, embedding)
SELECT given.identifier, $1::TEXT, given.digest, given.embedding::{vector}.vector
FROM unnest($2::TEXT[], $3::BYTEA[], $4::TEXT[])
    AS given (identifier, digest, embedding)
WHERE (given.identifier, given.digest) IN (
    SELECT element.identifier, sha256(convert_to(spoken.text, 'UTF8'))
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
    WHERE element.identifier = ANY ($2::TEXT[])
)
ON CONFLICT DO NOTHING
