-- $1 schema
SELECT
    coalesce(
        (
            SELECT writer
            FROM pg_snapshot_xip(pg_current_snapshot()) AS writer
            WHERE NOT EXISTS (
                SELECT
                FROM pg_locks AS lock JOIN pg_stat_activity AS session USING (pid)
                WHERE lock.locktype = 'transactionid' AND lock.mode = 'ExclusiveLock'
                    AND lock.granted AND lock.transactionid = writer::XID
                    AND (
                        session.datname <> current_database()
                        OR session.backend_type = 'autovacuum worker'
                    )
            )
            ORDER BY writer
            LIMIT 1
        ),
        CASE
            WHEN pg_is_in_recovery() THEN pg_snapshot_xmin(pg_current_snapshot())
            ELSE pg_snapshot_xmax(pg_current_snapshot())
        END
    )::TEXT::INT8,
    pg_snapshot_xmax(pg_current_snapshot())::TEXT::INT8,
    pg_current_xact_id_if_assigned() IS NOT NULL,
    (SELECT system_identifier FROM pg_control_system()),
    CASE
        WHEN pg_is_in_recovery() THEN greatest(
            (SELECT timeline_id FROM pg_control_checkpoint()),
            (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
            (SELECT received_tli FROM pg_stat_wal_receiver)
        )
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::BIT(32)::INT
    END,
    (SELECT oid FROM pg_database WHERE datname = current_database()),
    (
        SELECT string_agg(oid::TEXT, ' ' ORDER BY oid)
        FROM pg_class
        WHERE relname = ANY (ARRAY['memories_elements', 'conversation_memory', 'agent_memory'])
            AND relnamespace = to_regnamespace(
                quote_ident(coalesce($1::TEXT, current_schema()::TEXT))
            )
    )
