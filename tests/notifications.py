"""Wait for clients with ``live=True`` to listen, and to see changes."""

from collections.abc import Callable

import psycopg

from draive_pg import Client
from tests.server import wait_until


def count_listeners(sql: psycopg.Connection) -> int:
    ((count,),) = sql.execute(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query = 'LISTEN draive_pg'"
    ).fetchall()
    return count


def wait_for_listener(db: Client, sql: psycopg.Connection) -> None:
    """Wait until the client listens and has processed all earlier notifications."""
    wait_until(lambda: bool(count_listeners(sql)) or bool(db.memories.identifiers()))
    read = lambda: db.configurations.load_raw("marker")  # noqa: E731
    read()
    sql.execute("INSERT INTO configurations VALUES ('marker', '{}')")
    wait_for_value(read, {})
    sql.execute("DELETE FROM configurations WHERE identifier = 'marker'")
    wait_for_value(read, None)


def wait_for_value(read: Callable[[], object], expected: object) -> None:
    """Wait until a cached read, which would expire in ten minutes, returns a value."""
    wait_until(lambda: read() == expected)
