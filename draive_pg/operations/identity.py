"""What tells databases apart that may have the same tables and the same transactions."""

from typing import LiteralString

# Columns: the cluster, the timeline and the database, which a primary and its replicas have in
# common. The timeline tells a server from another one that was promoted from the same data. During
# recovery it is recorded by restartpoints, and only some roles may see it earlier, in the receiver.
IDENTITY: LiteralString = """
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
""".strip()
