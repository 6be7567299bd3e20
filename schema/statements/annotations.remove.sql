-- $1 identifier
-- $2 ids
WITH removed AS (
    DELETE FROM draive_pg_annotations AS annotation
    WHERE identifier = $1::TEXT AND id = ANY ($2::TEXT[])
    RETURNING TRUE
)
SELECT count(*) FROM removed
