-- $1 identifier
WITH removed AS (
    DELETE FROM memories AS conversation WHERE identifier = $1::TEXT RETURNING identifier
)
SELECT EXISTS (SELECT FROM removed)
