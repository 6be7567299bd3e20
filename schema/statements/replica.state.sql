-- $1 position
SELECT
    pg_is_in_recovery(),
    pg_wal_lsn_diff($1::PG_LSN, pg_last_wal_replay_lsn())::INT8,
    (SELECT system_identifier FROM pg_control_system())
