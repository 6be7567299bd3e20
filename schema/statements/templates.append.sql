-- $1 name
-- $2 content
-- $3 description
-- $4 arguments
-- $5 meta
INSERT INTO templates (identifier, created, content, description, variables, meta)
SELECT name, created, content, description, arguments, meta
FROM (
    SELECT
        $1::TEXT AS name,
        greatest(clock_timestamp(), max(document.created) + INTERVAL '1 microsecond') AS created,
        $2::TEXT AS content,
        $3::TEXT AS description,
        $4::JSONB AS arguments,
        $5::JSONB AS meta
    FROM (
    SELECT * FROM (
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM templates
    ) AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS document
    WHERE document.name = $1::TEXT
) AS revision
