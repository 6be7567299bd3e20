"""Large tables against small ones, and partitioned tables against plain ones.

``python -m benchmarks.scale DSN [ROWS FEWER]`` measures in new databases on a server, with ROWS
(default: ten million) and FEWER (one million) elements, fifty per memory. Ten million take 10 GB of
disk and five minutes to fill.
"""

import itertools
import sys
from collections.abc import Callable

from benchmarks.filling import ELEMENTS, PER_MEMORY, filled
from benchmarks.measure import RATIOS, Comparison, compare
from draive_pg import Client

HUNDRED = [f"m{number}" for number in range(1, 101)]


def measure(dsn: str, *, rows: int = 10_000_000, fewer: int = 1_000_000) -> list[Comparison]:
    """Measure in new databases on a server."""
    with filled(dsn, fewer) as few, filled(dsn, rows) as plain, Client(plain) as ours:
        with Client(few) as small:
            grown = compared(ours, rows, small, fewer, f"{fewer:,} elements")
        with filled(dsn, rows, partitioned=True) as apart, Client(apart) as partitioned:
            split = compared(partitioned, rows, ours, rows, f"{rows:,}, not partitioned")
    return [*grown, *split]


def compared(
    ours: Client, rows: int, other: Client, other_rows: int, other_name: str
) -> list[Comparison]:
    what = "partitioned, " if rows == other_rows else ""
    return [
        compare(f"{name}, {what}{rows:,} elements", mine, other_name, theirs, calls=calls)
        for (name, calls, mine), (_, _, theirs) in zip(
            asked(ours, rows), asked(other, other_rows), strict=True
        )
    ]


def asked(db: Client, rows: int) -> list[tuple[str, int, Callable[[], object]]]:
    """Return calls with their names and repetitions, each on another memory."""
    numbers = itertools.cycle(range(1, rows // PER_MEMORY))

    def memory() -> str:
        return f"m{next(numbers)}"

    return [
        ("`recall(limit=20)`", 50, lambda: db.memory(memory()).recall(limit=20)),
        ("`recall()`", 50, lambda: db.memory(memory()).recall()),
        ("`remember` of a turn", 50, lambda: db.memory(memory()).remember(*ELEMENTS[:2])),
        ("`log()` of a memory", 20, lambda: db.memory(memory()).log()),
        ("`sessions` of 100 memories", 3, lambda: db.frames.sessions(HUNDRED)),
    ]


if __name__ == "__main__":
    dsn, rows, fewer = [*sys.argv[1:], "10000000", "1000000"][:3]
    found = measure(dsn, rows=int(rows), fewer=int(fewer))
    sys.stdout.write("\n".join([RATIOS, *(each.row() for each in found), ""]))
