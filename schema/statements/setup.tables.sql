-- $1 names
-- $2 schema
SELECT
    expected.name,
    coalesce(found.relkind::TEXT, ''),
    (SELECT nspname::TEXT FROM pg_namespace WHERE oid = found.relnamespace),
    kept.rows,
    kept.bytes,
    ARRAY(
        SELECT kind
        FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS kind
        WHERE has_schema_privilege(found.relnamespace, 'USAGE')
            AND has_table_privilege(found.oid, kind)
    ),
    ARRAY(
        SELECT ARRAY[attname::TEXT, typname::TEXT]
        FROM pg_attribute
        JOIN pg_type ON pg_type.oid = atttypid
        WHERE attrelid = found.oid AND attnum > 0 AND NOT attisdropped
    ),
    ARRAY(
        SELECT attname::TEXT
        FROM pg_attribute
        WHERE attrelid = found.oid
            AND attnum > 0
            AND NOT attisdropped
            AND attnotnull
            AND NOT atthasdef
            AND attidentity = ''
    ),
    ARRAY(
        SELECT relname::TEXT
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid = found.oid AND indisvalid
    ),
    ARRAY(
        SELECT relname::TEXT
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid = found.oid AND NOT indisvalid
    ),
    ARRAY(
        SELECT tgname::TEXT FROM pg_trigger WHERE tgrelid = found.oid AND tgenabled <> 'D'
    )
FROM unnest($1::TEXT[]) WITH ORDINALITY AS expected (name, number)
LEFT JOIN pg_class AS found
    ON found.relname = expected.name
    AND CASE
        WHEN $2::TEXT IS NULL THEN pg_table_is_visible(found.oid)
        ELSE found.relnamespace = to_regnamespace(quote_ident($2::TEXT))
    END
LEFT JOIN LATERAL (
    SELECT
        CASE WHEN min(part.reltuples) >= 0 THEN sum(part.reltuples)::INT8 END AS rows,
        sum(pg_total_relation_size(part.oid))::INT8 AS bytes
    FROM pg_class AS part
    WHERE part.relkind = 'r'
        AND (
            part.oid = found.oid
            OR part.oid IN (SELECT relid FROM pg_partition_tree(found.oid))
        )
) AS kept ON TRUE
ORDER BY expected.number
