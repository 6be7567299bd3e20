-- $1 identifier
INSERT INTO memories (identifier, created)
SELECT $1::TEXT, now()
FROM (
    SELECT pg_advisory_xact_lock(hashtextextended('memories/' || $1::TEXT, 0)) AS lock
    FROM (
        SELECT count(*) FROM (SELECT NULL::TEXT AS identifier WHERE FALSE) AS conversation WHERE identifier = $1::TEXT
    ) AS located
) AS locked
WHERE lock IS NOT NULL
ON CONFLICT (identifier) DO NOTHING
