-- $1 path
SELECT set_config('search_path', $1::TEXT, TRUE)
