-- $1 name
WITH removed AS (
    DELETE FROM instructions WHERE name = $1::TEXT RETURNING name
)
SELECT count(*) FROM removed
