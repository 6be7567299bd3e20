SELECT
    (position - CASE
        WHEN mod(bytes, pg_size_bytes(current_setting('wal_segment_size'))) = 40 THEN 40
        WHEN mod(bytes, 8192) = 24 THEN 24
        ELSE 0
    END)::TEXT,
    (SELECT system_identifier FROM pg_control_system())
FROM (
    SELECT
        position,
        position - '0/0'::PG_LSN AS bytes
    FROM (
        SELECT CASE
            WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
            ELSE pg_current_wal_insert_lsn()
        END AS position
    ) AS server
) AS server
