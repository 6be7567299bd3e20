"""Calls of the client: against draive.postgres over haiway's pool, and against bare psycopg.

``python -m benchmarks.calls DSN [ROWS]`` measures in new databases on a server, with ROWS elements
(default: a million) in the tables.
"""

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psycopg
from draive import Configuration, ConfigurationRepository, State, ctx
from draive.postgres import PostgresConfigurationRepository, PostgresModelMemory

from benchmarks.adapters import haiway_pool
from benchmarks.filling import ELEMENTS, PER_MEMORY, apply, database, fill, filled
from benchmarks.measure import RATIOS, Comparison, compare, compare_async
from benchmarks.network import delayed
from draive_pg import Client
from draive_pg.operations.operation import QUERIES, qualified

FEW = 10_000
ROUND_TRIP = 0.005

REMEMBER = "`remember` of 100 elements"


class Limits(Configuration):
    """A configuration that a service loads before each call of a model."""

    tokens: int = 100
    model: str = "small"


def measure(dsn: str, *, rows: int = 1_000_000) -> list[Comparison]:
    """Measure in new databases on a server."""
    with filled(dsn, FEW) as few:
        found = [
            *asyncio.run(against_draive(few)),
            *asyncio.run(with_latency(few)),
            *against_psycopg(few),
            asyncio.run(cached(few)),
            importing(),
        ]
        with filled(dsn, rows) as many:
            found.append(against_small_tables(few, many, rows))
            with database(dsn) as seed:
                apply(seed, "003_memories.sql")  # without the index of draive_pg
                fill(seed, rows)
                found.append(asyncio.run(in_large_tables(many, seed, rows)))
    return found


async def against_draive(dsn: str) -> list[Comparison]:
    with Client(dsn, prepare=True) as db:
        for _ in range(100):
            db.memory("long").remember(*ELEMENTS)
        async with draive(dsn):
            return [
                await remembering(db, REMEMBER, calls=10, target=8),
                await compare_async(
                    "`recall()` of 10,000 elements",
                    db.memory("long").recall,
                    "draive, with our index",
                    PostgresModelMemory("long").recall,
                ),
            ]


async def with_latency(dsn: str) -> list[Comparison]:
    with delayed(dsn, ROUND_TRIP) as far, Client(far) as db:
        async with draive(far):
            return [await remembering(db, f"{REMEMBER}, network of 5 ms", runs=5)]


async def remembering(db: Client, what: str, **options: Any) -> Comparison:
    ours, theirs = db.memory(f"ours, {what}"), PostgresModelMemory(f"theirs, {what}")
    await theirs.maintenance()  # required by draive before it remembers
    return await compare_async(
        what,
        lambda: ours.remember(*ELEMENTS),
        "draive",
        lambda: theirs.remember(*ELEMENTS),
        **options,
    )


async def cached(dsn: str) -> Comparison:
    with Client(dsn, prepare=True) as db:
        db.configurations.define(Limits())
        async with draive(dsn, PostgresConfigurationRepository()):
            return await compare_async(
                "`load` of a configuration, cached",
                lambda: db.configurations.load(Limits),
                "draive",
                lambda: ConfigurationRepository.load(Limits),
                calls=1000,
            )


def against_psycopg(dsn: str) -> list[Comparison]:
    """Compare the smallest calls with prepared statements alone, on new connections in each run."""
    with Client(dsn, cache_limit=0, prepare=True) as db, Bare(dsn) as bare:
        db.configurations.define(Limits())
        for number in range(10):
            db.instructions.define("greeting", content=f"Hello {number}!")

        def reconnect() -> None:
            db.close()
            bare.connect()

        load = qualified(QUERIES["configurations.load"].sql, None)
        return [
            compare(
                what,
                ours,
                name,
                partial(bare.execute, sql, subject),
                runs=15,
                calls=300,
                before=reconnect,
                target=target,
            )
            for what, ours, name, sql, subject, target in (
                (
                    "`load_raw` of a configuration, not cached",
                    lambda: db.configurations.load_raw("Limits"),
                    "its statement by bare psycopg",
                    load,
                    "Limits",
                    1 / 1.2,
                ),
                (
                    "`instructions.revision(name)`",
                    lambda: db.instructions.revision("greeting"),
                    "a single row by bare psycopg",
                    SINGLE_ROW,
                    "greeting",
                    1 / 4,
                ),
            )
        ]


SINGLE_ROW = b"SELECT content FROM instructions WHERE name = $1::TEXT ORDER BY created DESC LIMIT 1"


class Bare:
    """A plain connection of psycopg with prepared statements."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection = self._connected()

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(
            self._dsn, autocommit=True, cursor_factory=psycopg.RawCursor, prepare_threshold=0
        )

    def connect(self) -> None:
        self._connection.close()
        self._connection = self._connected()

    def execute(self, sql: bytes, subject: str) -> object:
        return self._connection.execute(sql, (subject,)).fetchone()

    def __enter__(self) -> "Bare":
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()


def against_small_tables(few: str, many: str, rows: int) -> Comparison:
    """Compare the same call on small and on large tables."""
    with Client(few) as small, Client(many) as large:
        return compare(
            f"`recall(limit=20)`, {rows:,} elements in all",
            recalling(large, rows),
            f"draive_pg, {FEW:,} in all",
            recalling(small, FEW),
            calls=100,
            target=0.8,
        )


async def in_large_tables(many: str, seed: str, rows: int) -> Comparison:
    numbers = itertools.cycle(range(1, rows // PER_MEMORY))
    with Client(many) as db:
        async with draive(seed):
            return await compare_async(
                f"`recall(limit=20)`, {rows:,} elements in all",
                recalling(db, rows),
                "draive, on its tables as they are",
                lambda: PostgresModelMemory(f"m{next(numbers)}").recall(limit=20),
                calls=3,
                target=50,
            )


def recalling(db: Client, rows: int) -> Callable[[], object]:
    """Return a function that recalls another memory each time."""
    numbers = itertools.cycle(range(1, rows // PER_MEMORY))
    return lambda: db.memory(f"m{next(numbers)}").recall(limit=20)


@asynccontextmanager
async def draive(dsn: str, *states: State, connections: int = 1) -> AsyncGenerator[None]:
    """Open a scope with the adapters of draive on a database."""
    async with ctx.scope("benchmark", *states, disposables=(haiway_pool(dsn, connections),)):
        yield


def importing() -> Comparison:
    # With compiled modules, as for users, even if this process disables them.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def imported(names: str) -> None:
        command = [sys.executable, "-c", f"import {names}"]
        subprocess.run(command, check=True, env=environment)  # noqa: S603

    return compare(
        "importing it",
        lambda: imported("draive_pg"),
        "psycopg and psycopg_pool",
        lambda: imported("psycopg, psycopg_pool"),
        calls=3,
        target=1 / 1.3,
    )


if __name__ == "__main__":
    dsn, rows = [*sys.argv[1:], "1000000"][:2]
    compared = measure(dsn, rows=int(rows))
    sys.stdout.write("\n".join([RATIOS, *(each.row() for each in compared), ""]))
