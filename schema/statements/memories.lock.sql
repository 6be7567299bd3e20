-- $1 identifier
SELECT pg_advisory_xact_lock(hashtextextended('memories/' || $1::TEXT, 0))
FROM (
    SELECT count(*) FROM memories AS conversation WHERE identifier = $1::TEXT
) AS located
