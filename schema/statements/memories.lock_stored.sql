-- $1 identifiers
SELECT count(pg_advisory_xact_lock(key))
FROM (
    SELECT hashtextextended('memories/' || identifier, 0) AS key
    FROM (SELECT NULL::TEXT AS identifier WHERE FALSE) AS conversation
    WHERE identifier = ANY ($1::TEXT[])
    ORDER BY key
) AS ordered
