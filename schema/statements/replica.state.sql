-- $1 position
SELECT
    pg_is_in_recovery(),
    pg_wal_lsn_diff($1::PG_LSN, pg_last_wal_replay_lsn())::INT8,
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
