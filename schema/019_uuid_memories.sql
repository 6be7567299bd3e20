-- Conversational memory, as draive 0.93 to 0.99 reads and writes it: the tables of 003 with other
-- keys, so only one of both can be in a schema.
CREATE TABLE IF NOT EXISTS memories (
    identifier UUID NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier)
);

CREATE TABLE IF NOT EXISTS memories_variables (
    memories UUID NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    variables JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS memories_elements (
    identifier UUID NOT NULL DEFAULT gen_random_uuid(),
    memories UUID NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier)
);

-- Only where the tables are these.
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = 'memories_elements'::REGCLASS AND attname = 'memories'
    ) THEN
        CREATE INDEX IF NOT EXISTS memories_variables_idx
            ON memories_variables (memories, created DESC);
        CREATE INDEX IF NOT EXISTS memories_elements_idx
            ON memories_elements (memories, created DESC);
    END IF;
END
$$;
