-- $1 identifiers
SELECT count(*)
FROM (
    SELECT identifier
    FROM memories AS conversation
    WHERE identifier = ANY ($1::TEXT[])
    ORDER BY identifier
    FOR UPDATE
) AS locked
