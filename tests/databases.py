"""Databases for tests: copies of a template, reused while tests change nothing but rows."""

import secrets
import time
from typing import LiteralString

import psycopg
from psycopg.conninfo import make_conninfo

from tests.cluster import run_on

_TABLES = """
SELECT oid::regclass::text FROM pg_class
WHERE oid >= 16384 AND relkind = 'r' AND relname <> 'draive_pg_migrations'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
"""

# Changes with DDL (except TRUNCATE) and ANALYZE, and with settings and grants of the database,
# sequences and migrations. The first OID that initdb does not use is 16384.
_FINGERPRINT = """
SELECT array[
    (SELECT string_agg(row(oid, relname, relowner, relacl, reloptions, relrowsecurity)::text, ',')
        FROM (SELECT * FROM pg_class WHERE oid >= 16384 ORDER BY oid) AS relations),
    (SELECT row(count(*), sum(xmin::text::bigint))::text FROM pg_attribute WHERE attrelid >= 16384),
    (SELECT row(count(*), sum(xmin::text::bigint))::text FROM pg_constraint WHERE oid >= 16384),
    (SELECT row(count(*), sum(xmin::text::bigint))::text FROM pg_extension),
    (SELECT row(count(*), sum(xmin::text::bigint))::text FROM pg_index WHERE indexrelid >= 16384),
    (SELECT row(count(*), sum(xmin::text::bigint))::text FROM pg_namespace),
    (SELECT row(count(*), sum(xmin::text::bigint))::text FROM pg_policy),
    (SELECT row(count(*), sum(xmin::text::bigint))::text FROM pg_proc WHERE oid >= 16384),
    (SELECT row(count(*), sum(xmin::text::bigint))::text FROM pg_trigger),
    (SELECT count(*)::text FROM pg_statistic),
    (SELECT sum(last_value)::text FROM pg_sequences),
    (SELECT string_agg(each::text, ',' ORDER BY name) FROM draive_pg_migrations AS each),
    (SELECT row(datacl, datallowconn, datconnlimit, setconfig)::text
        FROM pg_database LEFT JOIN pg_db_role_setting ON setdatabase = pg_database.oid
        WHERE datname = current_database())
]::text
"""

_OTHER_SESSIONS = """
SELECT FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND application_name NOT LIKE 'citus%'
"""


class Databases:
    """Provide databases that are equal to a template, one at a time."""

    def __init__(self, servers: list[str], template: str) -> None:
        self._servers = servers
        self._template = template
        self._prefix = f"draive_pg_{secrets.token_hex(4)}"
        self._count = 0
        self._current = ""
        self._fingerprint = ""
        self._filled = b""  # the query of the tables that have rows
        # Kept open, because a new session would first have to load the catalogs.
        self._connection: psycopg.Connection | None = None

    def provide(self) -> str:
        """Return the DSN of the previous database without its rows, or of a new one."""
        if not self._current or not self._reset():
            self.drop()
            self._count += 1
            self._current = f"{self._prefix}_{self._count}"
            self._run("CREATE DATABASE {} TEMPLATE {}", self._current, self._template)
            self._connection = psycopg.connect(self._dsn(), application_name="draive_pg tests")
            with self._connection.transaction():
                self._fingerprint = _fingerprint(self._connection)
                self._filled = " UNION ALL ".join(
                    f"(SELECT {table!r} FROM {table} LIMIT 1)"
                    for (table,) in self._connection.execute(_TABLES).fetchall()
                ).encode()
        return self._dsn()

    def drop(self) -> None:
        """Drop the current database, and disconnect all sessions from it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._current:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", self._current)
            self._current = ""

    def _dsn(self) -> str:
        return make_conninfo(self._servers[0], dbname=self._current)

    def _run(self, statement: LiteralString, *names: str) -> None:
        run_on(self._servers, statement, *names)

    def _reset(self) -> bool:
        """Delete the rows of the current database, unless anything else in it was changed."""
        connection = self._connection
        if connection is None:
            return False
        try:
            with connection.transaction():
                if _fingerprint(connection) != self._fingerprint or not _is_alone(connection):
                    return False
                # Without the triggers, which record the removal of revisions in another table.
                connection.execute("SET LOCAL session_replication_role = replica")
                # TRUNCATE, because reusing the space of deleted rows would change the row order.
                if filled := connection.execute(self._filled).fetchall():
                    tables = ", ".join(table for (table,) in filled)
                    connection.execute(f"TRUNCATE {tables} CASCADE".encode())
        except psycopg.Error:
            return False
        return True


def _fingerprint(connection: psycopg.Connection) -> str:
    ((value,),) = connection.execute(_FINGERPRINT).fetchall()
    return value


def _is_alone(connection: psycopg.Connection) -> bool:
    """Wait briefly for the sessions of closed clients to end."""
    deadline = time.monotonic() + 0.5
    while connection.execute(_OTHER_SESSIONS).fetchone() is not None:
        if time.monotonic() > deadline:
            return False
        connection.execute("SELECT pg_stat_clear_snapshot()")
        time.sleep(0.002)
    return True
