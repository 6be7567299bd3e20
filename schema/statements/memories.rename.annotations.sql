-- $1 identifier
-- $2 new_identifier
WITH moved AS (
    DELETE FROM draive_pg_annotations AS belonging
    WHERE identifier = $1::TEXT
        AND EXISTS (SELECT TRUE FROM memories AS source WHERE source.identifier = $1::TEXT)
        AND NOT EXISTS (
            SELECT TRUE FROM memories AS target
            WHERE target.identifier = $2::TEXT
        )
    RETURNING *
)
INSERT INTO draive_pg_annotations (identifier, id, digest, occurrence, name, score, comment, tags, author, annotated)
SELECT $2::TEXT, id, digest, occurrence, name, score, comment, tags, author, annotated FROM moved
