-- $1 identifier
WITH removed AS (
    DELETE FROM memories WHERE identifier = $1::TEXT RETURNING identifier
)
SELECT EXISTS (SELECT FROM removed)
