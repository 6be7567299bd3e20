-- The tables of memories, distributed over the workers of a Citus cluster: see docs/scale.md. Apply
-- this on the coordinator after setup(), and again after an upgrade: it distributes the tables that
-- are not distributed yet, with their rows. It names no schema: SET search_path to choose one.
DO $$
DECLARE
    tables CONSTANT TEXT[] := ARRAY[
        'memories',
        'memories_variables',
        'memories_elements',
        'draive_pg_removed_elements',
        'draive_pg_keys',
        'draive_pg_annotations'
    ];
    name TEXT;
BEGIN
    FOREACH name IN ARRAY tables LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = name::REGCLASS);
        -- Citus needs it to move a shard that is written to.
        IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = name::REGCLASS AND indisprimary) THEN
            EXECUTE format('ALTER TABLE %I REPLICA IDENTITY FULL', name);
        END IF;
        PERFORM create_distributed_table(
            name,
            'identifier',
            colocate_with => CASE name WHEN 'memories' THEN 'none' ELSE 'memories' END
        );
    END LOOP;
    IF NOT EXISTS (
        SELECT FROM pg_dist_partition WHERE logicalrelid = 'draive_pg_ttl'::REGCLASS
    ) THEN
        PERFORM create_reference_table('draive_pg_ttl');
    END IF;
    -- Citus keeps the rows that it copied to the shards.
    FOREACH name IN ARRAY tables || 'draive_pg_ttl'::TEXT LOOP
        PERFORM truncate_local_data_after_distributing_table(name);
    END LOOP;
END
$$;
