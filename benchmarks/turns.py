"""Frames of the same conversations, as turns of draive 0.118 and as elements of draive 0.89.

``python -m benchmarks.turns DSN [ELEMENTS]`` measures in a new database on a server.
"""

import sys

import psycopg

from benchmarks.filling import CONVERSATION, filled
from benchmarks.measure import RATIOS, Comparison, compare
from draive_pg import Client

FRAMES = ("conversation_log", "sessions", "tool_calls")

TARGET = 1 / 1.5  # turns may take 1.5 times as long


def measure(dsn: str, *, elements: int = 100_000) -> list[Comparison]:
    """Compare each frame in a new database on a server."""
    with (
        filled(dsn, elements, CONVERSATION) as own,
        Client(own, draive="0.89") as old,
        Client(own, draive="0.118") as new,
    ):
        new.setup()
        old.convert("0.118", dry_run=False)
        with psycopg.connect(own, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        return [
            compare(
                f"`frames.{frame}()` of turns with {elements:,} elements",
                getattr(new.frames, frame),
                "the same elements",
                getattr(old.frames, frame),
                target=TARGET,
                runs=5,
            )
            for frame in FRAMES
        ]


if __name__ == "__main__":
    dsn, *sizes = sys.argv[1:]
    found = measure(dsn, **({"elements": int(sizes[0])} if sizes else {}))
    rows = [RATIOS, *(each.row() for each in found), ""]
    sys.stdout.write("\n".join(rows))
