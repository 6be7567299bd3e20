-- $1 lines
-- $2 identifiers
INSERT INTO draive_pg_annotations (identifier, id, digest, occurrence, name, score, comment, tags, author, annotated)
SELECT
    line.identifier,
    given.id,
    given.digest,
    given.occurrence,
    given.name,
    given.score,
    given.comment,
    coalesce(given.tags, '[]'),
    given.author,
    (item.value ->> 'created')::TIMESTAMPTZ
FROM json_to_recordset($1::JSON) AS line (identifier TEXT, annotations JSON)
CROSS JOIN LATERAL json_array_elements(line.annotations) AS item (value)
CROSS JOIN LATERAL json_to_record(item.value -> 'content') AS given (
    id TEXT,
    digest TEXT,
    occurrence INTEGER,
    name TEXT,
    score FLOAT8,
    comment TEXT,
    tags JSONB,
    author TEXT
)
WHERE line.identifier = ANY ($2::TEXT[])
ON CONFLICT (identifier, id) DO NOTHING
