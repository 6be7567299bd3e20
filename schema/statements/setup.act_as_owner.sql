-- $1 tables
SELECT set_config('role', pg_get_userbyid(relowner), TRUE)
FROM (
    SELECT relowner, relnamespace
    FROM pg_class
    JOIN unnest($1::TEXT[]) WITH ORDINALITY AS existing (name, number)
        ON pg_class.oid = to_regclass(existing.name)
    ORDER BY existing.number
    LIMIT 1
) AS first
WHERE pg_get_userbyid(relowner) <> current_user
    AND pg_has_role(relowner, 'MEMBER')
    AND has_schema_privilege(relowner, relnamespace, 'CREATE')
