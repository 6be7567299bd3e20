-- $1 identifiers
-- $2 times
-- $3 model
-- $4 digests
-- $5 embeddings
WITH stored AS MATERIALIZED (
    SELECT identifier, sha256(convert_to(spoken.text, 'UTF8')) AS digest
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
    WHERE identifier = ANY ($1::TEXT[])
        AND created = ANY (ARRAY(
            SELECT time::TIMESTAMPTZ FROM unnest($2::TEXT[]) AS time
            UNION ALL
            SELECT (SELECT max(created) FROM memories_elements AS write WHERE write.identifier = memory)
            FROM unnest($1::TEXT[]) AS memory
        ))
)
INSERT INTO draive_pg_embeddings (identifier, model, digest, embedding)
SELECT stored.identifier, $3::TEXT, digest, computed.embedding::{vector}.vector
FROM stored
JOIN unnest($4::BYTEA[], $5::TEXT[]) AS computed (digest, embedding) USING (digest)
ON CONFLICT DO NOTHING
