"""Calls of the client: against draive.postgres over haiway's pool, and against bare psycopg.

``python -m benchmarks.calls DSN`` measures on a database that it fills and empties.
"""

import asyncio
import itertools
import subprocess
import sys
from time import perf_counter

import psycopg
from draive import ModelInput, ModelOutput, MultimodalContent, ctx
from draive.postgres import PostgresModelMemory
from haiway.postgres import PostgresConnectionPool
from psycopg.conninfo import conninfo_to_dict

from benchmarks.measure import Comparison, compare, compare_async
from draive_pg import Client

__all__ = ("measure",)

ELEMENTS = tuple(
    (ModelInput if number % 2 == 0 else ModelOutput).of(
        MultimodalContent.of(f"text {number} " * 20)
    )
    for number in range(100)
)

FILL = """
INSERT INTO memories SELECT 'm' || n FROM generate_series(1, $1::INT8 / 50) AS n;
"""
FILL_ELEMENTS = """
INSERT INTO memories_elements (identifier, content, created)
SELECT 'm' || n % ($1::INT8 / 50) + 1, element, TIMESTAMPTZ '2026-01-01Z' + n * INTERVAL '1 second'
FROM generate_series(1, $1::INT8) AS n,
    LATERAL (SELECT ($2::JSONB[])[n / ($1::INT8 / 50) % 2 + 1] AS element) AS chosen
"""


async def measure(dsn: str, *, rows: int) -> list[Comparison]:
    """Measure on a database without tables, with so many elements in it."""
    with Client(dsn) as db, psycopg.connect(dsn, autocommit=True) as bare:
        db.setup()
        fill(dsn, rows)
        long = db.memory("long")
        for _ in range(100):
            long.remember(*ELEMENTS)
        bare.execute("ANALYZE")
        return [
            *await against_draive(dsn, db, rows),
            *against_psycopg(db, bare),
        ]


async def against_draive(dsn: str, db: Client, rows: int) -> list[Comparison]:
    address = conninfo_to_dict(dsn)
    pool = PostgresConnectionPool(
        host=str(address["host"]),
        port=str(address.get("port", 5432)),
        database=str(address.get("dbname", "postgres")),
        user=str(address.get("user", "postgres")),
        ssl="disable",
    )
    fresh = itertools.count()

    async def remember() -> None:
        memory = PostgresModelMemory(f"theirs {next(fresh)}")
        await memory.maintenance()
        await memory.remember(*ELEMENTS)

    async with ctx.scope("benchmark", disposables=(pool,)):
        return [
            await compare_async(
                "`remember` of 100 elements",
                lambda: db.memory(f"ours {next(fresh)}").remember(*ELEMENTS),
                "draive",
                remember,
            ),
            await compare_async(
                f"`recall(limit=20)`, {rows:,} elements in all",
                lambda: db.memory("m7").recall(limit=20),
                "draive, our indexes",
                lambda: PostgresModelMemory("m7").recall(limit=20),
            ),
            await compare_async(
                "`recall()` of 10,000 elements",
                db.memory("long").recall,
                "draive",
                PostgresModelMemory("long").recall,
                runs=5,
            ),
        ]


def against_psycopg(db: Client, bare: psycopg.Connection) -> list[Comparison]:
    db.configurations.define("limits", {"tokens": 100, "model": "small"})
    uncached = Client(bare.info.dsn, cache_limit=0)
    latest = (
        "SELECT content::TEXT FROM configurations WHERE identifier = $1::TEXT "
        "ORDER BY created DESC LIMIT 1"
    )
    cursor = psycopg.RawCursor(bare)

    def load() -> object:
        return cursor.execute(latest, ("limits",), prepare=False).fetchone()

    with uncached:
        return [
            compare(
                "`load_raw`, not cached",
                lambda: uncached.configurations.load_raw("limits"),
                "bare psycopg",
                load,
                calls=300,
            ),
            compare(
                "`load_raw`, cached",
                lambda: db.configurations.load_raw("limits"),
                "bare psycopg",
                load,
                calls=300,
            ),
            compare(
                "importing it",
                lambda: imported("draive_pg"),
                "psycopg, psycopg_pool",
                lambda: imported("psycopg, psycopg_pool"),
                runs=9,
            ),
        ]


def imported(names: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {names}"], check=True)  # noqa: S603


def fill(dsn: str, rows: int) -> None:
    contents = [element.to_json() for element in ELEMENTS[:2]]
    with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute(FILL, (rows,))
        connection.execute(FILL_ELEMENTS, (rows, contents))


if __name__ == "__main__":
    started = perf_counter()
    for comparison in asyncio.run(measure(sys.argv[1], rows=100_000)):
        sys.stdout.write(comparison.row() + "\n")
    sys.stdout.write(f"{perf_counter() - started:.0f} s\n")
