"""DataFrames: against a bare COPY of the same rows.

``python -m benchmarks.frames DSN`` measures on a database that `benchmarks.calls` has filled.
"""

import sys

import psycopg

from benchmarks.measure import Comparison, compare
from draive_pg import Client

__all__ = ("measure",)

SIX = ("identifier", "position", "created", "role", "text", "n_chars")


def measure(dsn: str) -> list[Comparison]:
    """Measure on a filled database."""
    with Client(dsn) as db, psycopg.connect(dsn, autocommit=True) as bare:
        count = bare.execute("SELECT count(*) FROM memories_elements").fetchone()

        def copy() -> None:
            statement = (
                "COPY (SELECT identifier, created, content FROM memories_elements) TO STDOUT"
            )
            with bare.cursor().copy(statement) as rows:
                for _ in rows:
                    pass

        what = f"log of {count[0] if count else 0:,} elements"
        return [
            compare(f"{what}, all columns", db.frames.conversation_log, "bare COPY", copy, runs=3),
            compare(
                f"{what}, six columns",
                lambda: db.frames.conversation_log(columns=SIX),
                "bare COPY",
                copy,
                runs=3,
            ),
        ]


if __name__ == "__main__":
    for comparison in measure(sys.argv[1]):
        sys.stdout.write(comparison.row() + "\n")
