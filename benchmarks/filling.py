"""Databases to measure on, and so many elements to fill them with."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from draive import ModelInput, ModelOutput, MultimodalContent
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from draive_pg import Client

__all__ = ("ELEMENTS", "PER_MEMORY", "apply", "database", "fill", "filled")

SCHEMA = Path(__file__).parent.parent / "schema"

PER_MEMORY = 50

# A hundred elements of a conversation: questions and answers in turn.
ELEMENTS = tuple(
    (ModelInput if number % 2 == 0 else ModelOutput).of(
        MultimodalContent.of(f"text {number} " * 20)
    )
    for number in range(100)
)

# Foreign keys are not checked: all that is written here fits.
QUICKLY = "SET session_replication_role = replica"

MEMORIES = """
INSERT INTO memories (identifier)
SELECT 'm' || n FROM generate_series(1, $1::INT8) AS n
"""

VARIABLES = """
INSERT INTO memories_variables (identifier, variables)
SELECT 'm' || n, '{"user": "Ada", "turn": 25}' FROM generate_series(1, $1::INT8) AS n
"""

# An element of each memory in turn, as if all were talking at once: no memory's are neighbours.
CONTENTS = """
INSERT INTO memories_elements (identifier, content, created)
SELECT
    'm' || n,
    ($2::JSONB[])[turn % 2 + 1],
    TIMESTAMPTZ '2026-01-01Z' + turn * INTERVAL '1 minute' + n * INTERVAL '1 microsecond'
FROM generate_series(0, $3::INT4 - 1) AS turn, generate_series(1, $1::INT8) AS n
"""

_numbers = count()


@contextmanager
def database(dsn: str) -> Iterator[str]:
    """Make an empty database on a server, and drop it in the end."""
    name = f"draive_pg_benchmark_{next(_numbers)}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        drop = SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name))
        connection.execute(drop)
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield make_conninfo(dsn, dbname=name)
        finally:
            connection.execute(drop)


@contextmanager
def filled(dsn: str, rows: int, *, partitioned: bool = False) -> Iterator[str]:
    """Make a database with all tables, plain or partitioned, and so many elements in them."""
    with database(dsn) as own:
        if partitioned:
            apply(own, "partitioned/tables.sql")
        with Client(own) as db:
            db.setup()
        fill(own, rows)
        yield own


def apply(dsn: str, *names: str) -> None:
    """Run files of ``schema/``."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name in names:
            text = (SCHEMA / name).read_text(encoding="utf-8")
            connection.execute(cast(LiteralString, text))


def fill(dsn: str, rows: int) -> None:
    """Write so many elements into the memories ``m1``, ``m2``, …, of fifty each."""
    contents = [element.to_json() for element in ELEMENTS[:2]]
    memories = rows // PER_MEMORY
    with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute(QUICKLY)
        connection.execute(MEMORIES, (memories,))
        connection.execute(VARIABLES, (memories,))
        connection.execute(CONTENTS, (memories, contents, PER_MEMORY))
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")  # so that it need not be made while something is timed
