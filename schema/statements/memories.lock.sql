-- $1 identifier
SELECT pg_advisory_xact_lock(hashtextextended('memories/' || $1::TEXT, 0))
FROM (
    SELECT count(*) FROM (SELECT NULL::TEXT AS identifier WHERE FALSE) AS conversation WHERE identifier = $1::TEXT
) AS located
