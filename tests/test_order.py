"""Order of concurrent writes, independent of clocks."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from draive import ConfigurationRepository, InstructionsRepository, ctx
from haiway.postgres import Postgres

from draive_pg import Client
from draive_pg.adapters import (
    PostgresConfigurationRepository,
    PostgresInstructionsRepository,
    PostgresModelMemory,
)
from tests.conftest import Connect
from tests.draive_scope import InScope
from tests.elements import asked, move_times, texts
from tests.server import wait_for_lock_waiters
from tests.sync_facade import run_concurrently

type Define = Callable[[Any, int], Any]

DEFINES: dict[str, Define] = {
    "instructions": lambda db, n: db.instructions.define("one", content=str(n)),
    "configurations": lambda db, n: db.configurations.define("one", {"n": n}),
}
NUMBERS = {
    "instructions": "SELECT content::INT FROM instructions ORDER BY created",
    "configurations": "SELECT (content ->> 'n')::INT FROM configurations ORDER BY created",
}
each_kind = pytest.mark.parametrize("table", DEFINES)


def numbers(sql: psycopg.Connection, table: str) -> list[int]:
    return [number for (number,) in sql.execute(NUMBERS[table].encode()).fetchall()]


def newest(db: Client, table: str) -> int:
    if table == "instructions":
        return int(db.instructions.load("one"))
    return (db.configurations.load_raw("one") or {})["n"]


@pytest.mark.parametrize("memories", [1, 3])
def test_concurrent_batches_are_contiguous_in_each_memory(
    connect: Connect, dsn: str, memories: int
) -> None:
    db = connect(dsn, max_size=8)

    def batch(writer: int, number: int) -> Callable[[Any], Any]:
        elements = [asked(f"{writer}/{number}/{n}") for n in range(10)]
        return lambda db: db.memory(f"m{writer % memories}").remember(*elements)

    run_concurrently(db, *([batch(writer, number) for number in range(4)] for writer in range(9)))
    for memory in range(memories):
        log = db.memory(f"m{memory}").log()
        assert log.created.is_unique
        assert log.created.is_monotonic_increasing
        batches = [text.rpartition("/")[0] for text in log.text][::10]
        assert list(log.text) == [f"{batch}/{n}" for batch in batches for n in range(10)]
        for writer in range(memory, 9, memories):
            own = [batch for batch in batches if batch.startswith(f"{writer}/")]
            assert own == [f"{writer}/{number}" for number in range(4)]


def test_large_batch_is_contiguous(connect: Connect, dsn: str) -> None:
    db = connect(dsn, max_size=4)
    large = [asked(f"large {n}") for n in range(2000)]
    run_concurrently(
        db,
        [lambda db: db.memory("m").remember(*large)] * 3,
        *([lambda db: db.memory("m").remember(asked("small"))] * 60 for _ in range(3)),
    )
    log = db.memory("m").log()
    assert log.created.is_unique
    assert len(log) == 3 * 2000 + 3 * 60
    starts = [position for position, text in enumerate(log.text) if text == "large 0"]
    for start in starts:
        assert list(log.text[start : start + 2000]) == [f"large {n}" for n in range(2000)]


WRITES: dict[str, Callable[[Client], Any]] = {
    "memory": lambda db: db.memory("one").remember(asked("q"), variables={"n": 1}),
    "instructions": lambda db: db.instructions.define("one", content="1"),
    "configurations": lambda db: db.configurations.define("one", {"n": 1}),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_writer_waits_for_commit_of_writer_of_same_subject(
    db: Client, dsn: str, write: Callable[[Client], Any]
) -> None:
    order: list[str] = []

    def later() -> None:
        with Client(dsn) as other:
            write(other)
            order.append("the other has written")

    with ThreadPoolExecutor(1) as pool:
        with db.transaction():
            write(db)
            writing = pool.submit(later)
            wait_for_lock_waiters(dsn, at_least=1)
            order.append("the first commits")
        writing.result(30)
    assert order == ["the first commits", "the other has written"]


@each_kind
def test_concurrent_writes_lose_no_revision(
    connect: Connect, dsn: str, sql: psycopg.Connection, table: str
) -> None:
    db = connect(dsn, max_size=8)
    steps = [
        [lambda db, n=10 * writer + turn: DEFINES[table](db, n) for turn in range(5)]
        for writer in range(10)
    ]
    run_concurrently(db, *steps)
    written = numbers(sql, table)
    assert sorted(written) == [10 * writer + turn for writer in range(10) for turn in range(5)]
    for writer in range(10):
        own = [number for number in written if number // 10 == writer]
        assert own == sorted(own)
    assert newest(db, table) == written[-1]
    distinct = sql.execute(f"SELECT count(DISTINCT created) FROM {table}".encode()).fetchone()
    assert distinct == (50,)


@each_kind
def test_clock_stepping_back_hides_no_revision(
    db: Client, sql: psycopg.Connection, table: str
) -> None:
    DEFINES[table](db, 1)
    sql.execute(f"UPDATE {table} SET created = created + INTERVAL '1 day'".encode())
    for number in (2, 3):
        DEFINES[table](db, number)
        assert newest(db, table) == number
    assert numbers(sql, table) == [1, 2, 3]


def test_last_written_variables_win_over_later_transaction(db: Client, dsn: str) -> None:
    with Client(dsn) as other, db.transaction():
        db.memories.identifiers()  # begins the transaction
        other.memory("m").remember(variables={"by": "who began later"})
        db.memory("m").remember(variables={"by": "who wrote last"})
    assert db.memory("m").recall().variables == {"by": "who wrote last"}
    assert len(db.frames.variables("m")) == 2


def test_recall_reads_one_snapshot(db: Client, dsn: str) -> None:
    stop = threading.Event()

    def write() -> None:
        with Client(dsn) as other:
            number = 0
            while not stop.is_set():
                number += 1
                other.memory("m").remember(asked(str(number)), variables={"n": number})

    db.memory("m").remember(asked("0"), variables={"n": 0})
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            seen = {0}
            while len(seen) < 30:
                for limit in (1, None):
                    recalled = db.memory("m").recall(limit=limit)
                    number: Any = recalled.variables["n"]
                    assert texts(recalled.context)[-1] == str(number)
                    seen.add(number)
        finally:
            stop.set()
        writing.result(30)


@each_kind
def test_writers_to_other_names_do_not_block(db: Client, dsn: str, table: str) -> None:
    with Client(dsn) as other, other.transaction():
        DEFINES[table](other, 1)
        if table == "instructions":
            db.instructions.define("free", content="2")
            assert db.instructions.load("free") == "2"
        else:
            db.configurations.define("free", {"n": 2})
            assert db.configurations.load_raw("free") == {"n": 2}


# --- Through the adapters, over either pool


def test_adapters_define_repeatedly_in_one_transaction(
    in_scope: InScope, sql: psycopg.Connection
) -> None:
    async def body() -> None:
        async with Postgres.acquire_connection() as connection, connection.transaction():
            with ctx.updated(connection):
                for number in range(3):
                    await InstructionsRepository.define("one", content=str(number))
                    await ConfigurationRepository.define("one", {"n": number})

    in_scope(body(), PostgresInstructionsRepository(), PostgresConfigurationRepository())
    for table in DEFINES:
        assert numbers(sql, table) == [0, 1, 2]


def test_order_of_adapters_is_independent_of_clocks(
    in_scope: InScope, sql: psycopg.Connection
) -> None:
    async def body() -> None:
        memory = PostgresModelMemory("m")
        await memory.remember(asked("q1"), asked("q2"), variables={"n": 1})
        for table in ("elements", "variables"):
            move_times(sql, f"memories_{table}", timedelta(hours=1), "m")
        await memory.remember(asked("q3"), variables={"n": 2})
        recalled = await memory.recall()
        assert texts(recalled.context) == ["q1", "q2", "q3"]
        assert recalled.variables == {"n": 2}

    in_scope(body())
