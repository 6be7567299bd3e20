-- Scores, comments and tags that people and evaluators give to memories and to their elements.
CREATE TABLE IF NOT EXISTS draive_pg_annotations (
    identifier TEXT NOT NULL,
    id TEXT NOT NULL,
    digest TEXT DEFAULT NULL, -- of the content of an element, or NULL for the whole memory
    occurrence INTEGER DEFAULT NULL, -- of that content in the memory, from 1
    name TEXT NOT NULL,
    score FLOAT8 DEFAULT NULL,
    comment TEXT DEFAULT NULL,
    tags JSONB NOT NULL DEFAULT '[]'::jsonb,
    author TEXT DEFAULT NULL,
    annotated TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (identifier, id)
);
