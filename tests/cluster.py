"""Databases of a Citus cluster, if the server of the tests is its coordinator."""

from typing import LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from tests.schema import SCHEMA

_NODES = """
SELECT nodename, nodeport FROM pg_dist_node ORDER BY groupid
"""

# Few shards, because each test truncates all of them.
_SHARDS = "ALTER DATABASE {} SET citus.shard_count = 4"

# A database with sessions, such as that of the maintenance daemon, cannot be copied.
_DISCONNECT = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = %s AND pid <> pg_backend_pid()
"""

# TRUNCATE reaches the shards by a trigger, also where `Databases` disables triggers.
_ALWAYS_TRUNCATE = """
UPDATE pg_trigger SET tgenabled = 'A' WHERE tgname LIKE 'truncate_trigger%'
"""


def nodes(server: str) -> list[str]:
    """Return the DSNs of all nodes, first of the coordinator; only of the server without Citus."""
    with psycopg.connect(server) as connection:
        has_citus = connection.execute("SELECT to_regclass('pg_dist_node')").fetchone()
        if has_citus is None or has_citus[0] is None:
            return [server]
        found = connection.execute(_NODES).fetchall()
    return [make_conninfo(server, host=host, port=port) for host, port in found]


def run_on(servers: list[str], statement: LiteralString, *names: str) -> None:
    """Run a statement with identifiers on each node."""
    for server in servers:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(SQL(statement).format(*map(Identifier, names)))


def join(servers: list[str], database: str) -> None:
    """Make databases of one name, of which that on the coordinator exists, a cluster."""
    run_on(servers[1:], "CREATE DATABASE {}", database)
    run_on(servers, _SHARDS, database)
    members = [make_conninfo(server, dbname=database) for server in servers]
    run_on(members, "CREATE EXTENSION citus")
    with psycopg.connect(members[0], autocommit=True) as connection:
        for number, server in enumerate(servers):
            info = conninfo_to_dict(server)
            function = "citus_add_node" if number else "citus_set_coordinator_host"
            connection.execute(
                f"SELECT {function}(%s, %s)".encode(), (info["host"], int(info["port"] or 5432))
            )


def distribute(dsn: str) -> None:
    """Distribute the tables of memories."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute((SCHEMA / "citus" / "distribute.sql").read_bytes())
        connection.execute(_ALWAYS_TRUNCATE)


def make_template(servers: list[str], database: str) -> None:
    """Keep all sessions away from a database, so that it can be copied."""
    run_on(servers, "ALTER DATABASE {} ALLOW_CONNECTIONS FALSE", database)
    for server in servers:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(_DISCONNECT, (database,))
