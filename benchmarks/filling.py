"""Tables filled by SQL: so many elements, fifty to a memory, as if all were talking at once."""

from pathlib import Path
from typing import LiteralString, cast

import psycopg
from draive import ModelInput, ModelOutput, MultimodalContent
from psycopg.sql import SQL, Identifier

from draive_pg import Client

__all__ = ("ELEMENTS", "PER_MEMORY", "fill", "make", "seed_tables")

PER_MEMORY = 50

SCHEMA = Path(__file__).parent.parent / "schema"

# A hundred elements of a conversation: questions and answers in turn.
ELEMENTS = tuple(
    (ModelInput if number % 2 == 0 else ModelOutput).of(
        MultimodalContent.of(f"text {number} " * 20)
    )
    for number in range(100)
)

# Foreign keys and triggers are not asked: all that is written here fits.
QUICKLY = "SET session_replication_role = replica"

MEMORIES = (
    "INSERT INTO memories (identifier) SELECT 'm' || n FROM generate_series(1, $1::INT8) AS n"
)
VARIABLES = """
INSERT INTO memories_variables (identifier, variables)
SELECT 'm' || n, '{"user": "Ada", "turn": 25}' FROM generate_series(1, $1::INT8) AS n
"""
# One element of each memory after the other, so that no memory's rows are neighbours.
WRITTEN = """
INSERT INTO memories_elements (identifier, content, created)
SELECT
    'm' || n,
    ($2::JSONB[])[turn % 2 + 1],
    TIMESTAMPTZ '2026-01-01Z' + turn * INTERVAL '1 minute' + n * INTERVAL '1 microsecond'
FROM generate_series(0, $3::INT4 - 1) AS turn, generate_series(1, $1::INT8) AS n
"""


def make(dsn: str, schema: str, *, partitioned: bool = False) -> None:
    """Make a schema with all tables, plain or partitioned."""
    if partitioned:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                SQL("CREATE SCHEMA {0}; SET search_path = {0}").format(Identifier(schema))
            )
            connection.execute(_script("partitioned.sql"))
    with Client(dsn, schema=schema) as db:
        db.setup()


def seed_tables(dsn: str) -> None:
    """Make the tables of memories that draive needs, without our indexes."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_script("003_memories.sql"))


def fill(dsn: str, rows: int, *, schema: str = "public") -> None:
    """Fill the tables of a schema with so many elements, and let the planner know."""
    with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute(SQL("SET search_path = {}").format(Identifier(schema)))
        connection.execute(QUICKLY)
        memories = rows // PER_MEMORY
        connection.execute(MEMORIES, (memories,))
        connection.execute(VARIABLES, (memories,))
        contents = [element.to_json() for element in ELEMENTS[:2]]
        connection.execute(WRITTEN, (memories, contents, PER_MEMORY))
        connection.execute("VACUUM ANALYZE memories, memories_variables, memories_elements")


def _script(name: str) -> LiteralString:
    return cast(LiteralString, (SCHEMA / name).read_text(encoding="utf-8"))
