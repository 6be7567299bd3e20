"""Tables and roles created by plain SQL."""

from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from draive_pg import Client
from draive_pg.lines.line import Line

SCHEMA = Path(__file__).parent.parent / "schema"

# The tables in the documentation of draive 0.89.
DRAIVE_TABLES = """
CREATE TABLE configurations (
    identifier TEXT NOT NULL,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier, created)
);
CREATE TABLE instructions (
    name TEXT NOT NULL,
    description TEXT DEFAULT NULL,
    content TEXT NOT NULL,
    arguments JSONB NOT NULL DEFAULT '[]'::jsonb,
    meta JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (name, created)
);
CREATE TABLE memories (
    identifier TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier)
);
CREATE TABLE memories_variables (
    identifier TEXT NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    variables JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE memories_elements (
    identifier TEXT NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);
"""


def run_sql(dsn: str, script: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(script.encode())


def set_up(dsn: str, line: Line | None = None) -> tuple[str, ...]:
    """Create the tables of a line."""
    with Client(dsn, draive=line and line.name) as db:
        return db.setup()


def set_up_partitioned(dsn: str) -> tuple[str, ...]:
    """Create the tables of draive 0.89, hash-partitioned, and ours."""
    run_sql(dsn, (SCHEMA / "partitioned" / "tables.sql").read_text(encoding="utf-8"))
    return set_up(dsn)


def make_role(dsn: str, role: str, *grants: str) -> str:
    """Create a role with only the given privileges, and return the DSN to connect as it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {role}".encode())
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'".encode())
        for grant in grants:
            connection.execute(f"GRANT {grant} TO {role}".encode())
    return make_conninfo(dsn, user=role, password="secret")
