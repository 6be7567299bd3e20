"""Edits of a memory of 10,000 elements, and a page of 200,000 memories, against their targets.

``python -m benchmarks.edits DSN`` measures in new databases on a server.
"""

import sys
from collections.abc import Callable
from functools import partial

import psycopg
from psycopg.sql import SQL, Identifier

from benchmarks.filling import ELEMENTS, database, fill
from benchmarks.measure import RATIOS, TIMES, Comparison, Measured, best, compare
from draive_pg import Client
from draive_pg.api.memory import Memory
from draive_pg.database import Database

LENGTH = 10_000
MEMORIES = 200_000

# The time of `remember` of one element must be half of that of an edit, or more.
TARGET = 0.5


def measure(dsn: str, *, length: int = LENGTH) -> list[Comparison]:
    """Compare edits with `remember` in a new database on a server."""
    with database(dsn) as own:
        with Client(own) as db:
            db.setup()
        fill(own, 4 * length, per_memory=length)
        with Client(own) as db:
            last = db.memory("m4").elements(1)[0].cursor
            edits: list[tuple[str, Callable[[Memory[Database]], object]]] = [
                ("`pop()`", lambda memory: memory.pop()),
                ("`undo()`", lambda memory: memory.undo()),
                (f"`truncate({length - 1})`", lambda memory: memory.truncate(length - 1)),
                ("`truncate` at a cursor", lambda memory: memory.truncate(last)),
            ]
            return [
                compared(db.memory(f"m{number}"), f"{what} of {length:,} elements", edit)
                for number, (what, edit) in enumerate(edits, 1)
            ]


def compared(
    memory: Memory[Database], what: str, edit: Callable[[Memory[Database]], object]
) -> Comparison:
    """Compare an edit of the end of a memory with `remember` of one, which follows each edit."""
    return compare(
        what,
        lambda: edit(memory),
        "`remember` of one",
        lambda: memory.remember(ELEMENTS[0]),
        calls=50,
        target=TARGET,
    )


# Conversations of an hour each, one after the other.
TABLES = ("memories", "memories_elements", "memories_variables")
SPREAD = """
UPDATE {} SET created = timestamptz '2026-01-01Z'
    + substr(identifier, 2)::INT * interval '1 minute' + random() * interval '1 hour' * $1::INT
"""


def spread(dsn: str) -> None:
    """Give memories and their elements times as of a service."""
    with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        for table in TABLES:
            hours = 0 if table == "memories" else 1
            connection.execute(SQL(SPREAD).format(Identifier(table)), (hours,))
        connection.execute("VACUUM FULL ANALYZE")


def listings(dsn: str, *, memories: int = MEMORIES) -> list[Measured]:
    """List a page of many memories by their last write, in a new database on a server."""
    with database(dsn) as own, Client(own) as db:
        db.setup()
        fill(own, 2 * memories, per_memory=2)
        spread(own)
        calls = {"newest first": True, "oldest first": False}
        return [
            best(
                f'`memories.list(order="last", limit=20)` of {memories:,}, {order}',
                0.02,
                partial(db.memories.list, order="last", descending=descending, limit=20),
                runs=5,
            )
            for order, descending in calls.items()
        ]


if __name__ == "__main__":
    (dsn,) = sys.argv[1:]
    rows = [
        RATIOS,
        *(each.row() for each in measure(dsn)),
        "",
        TIMES,
        *(each.row() for each in listings(dsn)),
        "",
    ]
    sys.stdout.write("\n".join(rows))
