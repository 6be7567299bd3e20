-- $1 role
-- $2 path
SELECT set_config('role', $1::TEXT, TRUE), set_config('search_path', $2::TEXT, TRUE)
