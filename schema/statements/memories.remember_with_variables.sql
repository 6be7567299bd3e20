-- $1 append
-- $2 identifier
-- $3 variables
-- $4 elements
WITH allowed AS (
    SELECT
    WHERE $1::BOOLEAN
        OR NOT EXISTS (SELECT FROM (
        SELECT identifier, created, ctid AS place, content FROM memories_elements
    ) AS element WHERE identifier = $2::TEXT)
),
conversation AS (
    INSERT INTO memories (identifier, created)
    SELECT $2::TEXT, now() FROM allowed
    ON CONFLICT (identifier) DO NOTHING
),
snapshot AS (
    INSERT INTO memories_variables (identifier, variables, created)
    SELECT $2::TEXT, $3::JSONB, greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond')
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE identifier = $2::TEXT
    HAVING EXISTS (SELECT FROM allowed)
),
batch AS (
    SELECT greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond') AS start
    FROM (
        SELECT identifier, created, ctid AS place, content FROM memories_elements
    ) AS element
    WHERE identifier = $2::TEXT AND created < 'infinity'
),
added AS (
    INSERT INTO memories_elements (identifier, content, created)
    SELECT
        $2::TEXT,
        item.content::JSONB,
        batch.start + (item.number - 1) * INTERVAL '1 microsecond'
    FROM allowed, batch,
        json_array_elements($4::JSON) WITH ORDINALITY AS item (content, number)
    ORDER BY item.number
    RETURNING identifier
)
SELECT EXISTS (SELECT FROM allowed) AS allowed, (SELECT count(*) FROM added) AS added
