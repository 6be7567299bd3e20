-- The same tables, hash-partitioned by what leads their keys, for databases with very many
-- memories: see docs/scale.md. Apply this first, then setup(), which adopts the tables and adds
-- the rest (indexes, triggers, its own tables). It names no schema: SET search_path to choose one.
CREATE TABLE configurations (
    identifier TEXT NOT NULL,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier, created)
) PARTITION BY HASH (identifier);

CREATE TABLE instructions (
    name TEXT NOT NULL,
    description TEXT DEFAULT NULL,
    content TEXT NOT NULL,
    arguments JSONB NOT NULL DEFAULT '[]'::jsonb,
    meta JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (name, created)
) PARTITION BY HASH (name);

CREATE TABLE memories (
    identifier TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier)
) PARTITION BY HASH (identifier);

CREATE TABLE memories_variables (
    identifier TEXT NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    variables JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
) PARTITION BY HASH (identifier);

CREATE TABLE memories_elements (
    identifier TEXT NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
) PARTITION BY HASH (identifier);

-- How many partitions each table has is fixed from here on: a power of two, for it can be doubled.
DO $$
DECLARE
    partitions CONSTANT INTEGER := 16;
    parent TEXT;
BEGIN
    FOREACH parent IN ARRAY ARRAY[
        'configurations', 'instructions', 'memories', 'memories_variables', 'memories_elements'
    ] LOOP
        FOR number IN 0 .. partitions - 1 LOOP
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS %s, REMAINDER %s)',
                parent || '_' || number, parent, partitions, number
            );
        END LOOP;
    END LOOP;
END
$$;
