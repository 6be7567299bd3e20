-- $1 schema
-- $2 tables
WITH written AS (
    SELECT to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || name) AS oid
    FROM unnest($2::TEXT[]) AS name
)
SELECT
    (
        SELECT quote_ident(nspname)
        FROM pg_extension
        JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = 'vector'
            AND string_to_array(extversion, '.')::INTEGER[] >= ARRAY[0, 8]
    ),
    (SELECT quote_ident(min(nspname)) FROM written JOIN pg_class USING (oid)
        JOIN pg_namespace ON pg_namespace.oid = relnamespace),
    NOT EXISTS (
        SELECT FROM written
        WHERE NOT EXISTS (
            SELECT FROM pg_trigger WHERE tgrelid = written.oid AND tgname = 'draive_pg_embeddings'
        )
    ) AND to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || 'draive_pg_embeddings') IS NOT NULL
