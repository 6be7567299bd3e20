"""Edits of a memory of 10,000 elements, and a page of 200,000 memories, against their targets.

``python -m benchmarks.edits DSN`` measures in new databases on a server.
"""

import sys
from collections.abc import Callable
from functools import partial

from benchmarks.filling import ELEMENTS, database, fill
from benchmarks.measure import RATIOS, TIMES, Comparison, Measured, best, compare
from draive_pg import Client
from draive_pg.api.memory import Memory
from draive_pg.database import Database

LENGTH = 10_000
MEMORIES = 200_000

# The time of `remember` of one element must be half of that of an edit, or more.
TARGET = 0.5


def measure(dsn: str) -> list[Comparison]:
    """Compare edits with `remember` in a new database on a server."""
    with database(dsn) as own:
        with Client(own) as db:
            db.setup()
        fill(own, 4 * LENGTH, per_memory=LENGTH)
        with Client(own) as db:
            last = db.memory("m4").elements(1)[0].cursor
            return [
                compared(db, "m1", "`pop()`", lambda memory: memory.pop()),
                compared(db, "m2", "`undo()`", lambda memory: memory.undo()),
                compared(db, "m3", "`truncate(9999)`", lambda memory: memory.truncate(LENGTH - 1)),
                compared(db, "m4", "`truncate` at a cursor", lambda memory: memory.truncate(last)),
            ]


def compared(
    db: Client, name: str, what: str, edit: Callable[[Memory[Database]], object]
) -> Comparison:
    """Compare an edit of the end of a memory with `remember` of one, which follows each edit."""
    memory = db.memory(name)
    return compare(
        f"{what} of {LENGTH:,} elements",
        lambda: edit(memory),
        "`remember` of one",
        lambda: memory.remember(ELEMENTS[0]),
        calls=50,
    )


def listings(dsn: str, *, memories: int = MEMORIES) -> list[Measured]:
    """List a page of many memories by their last write, in a new database on a server."""
    with database(dsn) as own, Client(own) as db:
        db.setup()
        fill(own, 2 * memories, per_memory=2)
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
        *(each.row_with_target(TARGET) for each in measure(dsn)),
        "",
        TIMES,
        *(each.row() for each in listings(dsn)),
        "",
    ]
    sys.stdout.write("\n".join(rows))
