-- $1 subjects
SELECT pg_advisory_xact_lock(key)
FROM (
    SELECT DISTINCT hashtextextended(subject, 0) AS key
    FROM unnest($1::TEXT[]) AS subject
    ORDER BY key
) AS ordered
