-- $1 name
WITH removed AS (
    DELETE FROM configurations WHERE identifier = $1::TEXT RETURNING identifier
)
SELECT count(*) FROM removed
