-- $1 author
-- $2 message
SELECT
    set_config('draive_pg.author', coalesce($1::TEXT, ''), TRUE),
    set_config('draive_pg.message', coalesce($2::TEXT, ''), TRUE)
