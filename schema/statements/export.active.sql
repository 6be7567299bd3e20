-- $1 since
-- $2 until
-- $3 limit
SELECT DISTINCT identifier
FROM memories_elements AS written
WHERE created >= $1::TIMESTAMPTZ AND created < $2::TIMESTAMPTZ
LIMIT $3::INT8
