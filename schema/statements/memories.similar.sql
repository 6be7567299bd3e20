-- $1 identifier
-- $2 limit
(
    SELECT identifier FROM memories AS conversation
    WHERE identifier >= $1::TEXT ORDER BY identifier LIMIT $2::INT8 / 2
)
UNION ALL
(
    SELECT identifier FROM memories AS conversation
    WHERE identifier < $1::TEXT ORDER BY identifier DESC LIMIT $2::INT8 / 2
)
