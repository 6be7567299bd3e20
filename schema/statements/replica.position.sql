SELECT
    (position - CASE
        WHEN mod(bytes, pg_size_bytes(current_setting('wal_segment_size'))) = 40 THEN 40
        WHEN mod(bytes, 8192) = 24 THEN 24
        ELSE 0
    END)::TEXT,
    (SELECT system_identifier FROM pg_control_system()),
    CASE
        WHEN pg_is_in_recovery() THEN greatest(
            (SELECT timeline_id FROM pg_control_checkpoint()),
            (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
            (SELECT received_tli FROM pg_stat_wal_receiver)
        )
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::BIT(32)::INT
    END,
    (SELECT oid FROM pg_database WHERE datname = current_database())
FROM (
    SELECT
        position,
        position - '0/0'::PG_LSN AS bytes
    FROM (
        SELECT CASE
            WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
            WHEN current_setting('synchronous_commit') <> 'off' THEN pg_current_wal_flush_lsn()
            ELSE pg_current_wal_insert_lsn()
        END AS position
    ) AS server
) AS server
