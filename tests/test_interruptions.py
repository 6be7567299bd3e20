"""Interrupted calls: cancelled tasks, closed clients, forks, unexpected payloads."""

import asyncio
import random
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from draive import Instructions, InstructionsRepository, ctx

from draive_pg import AsyncClient, Client, TimedOut, uninterrupted_import
from draive_pg.adapters import PostgresConnectionPool, PostgresInstructionsRepository
from draive_pg.database.deadline import Deadline
from draive_pg.database.driver import AsyncTimedConnection, TimedConnection
from draive_pg.database.pool import ACQUIRE_SECONDS, AsyncPool, Pool
from draive_pg.operations.operation import Call
from tests.conftest import Connect
from tests.elements import asked
from tests.fault_server import limited, session_pids
from tests.server import interrupt_main_thread, wait_until

NO_LIMIT = Deadline(None)


def test_tasks_cancelled_at_random_times_leave_no_partial_writes(dsn: str) -> None:
    chance = random.Random(7)

    async def call(db: AsyncClient, kind: int) -> None:
        match kind:
            case 0:
                await db.memory("m").remember(asked("q"), asked("q"))
            case 1:
                await db.configurations.load_raw("limits")
            case 2:
                await db.configurations.define("limits", {"a": 1})
            case _:
                async with db.transaction(), db.transaction():
                    await db.memory("m").remember(asked("q"), asked("q"))
                    await db.configurations.define("limits", {"a": 1})

    async def work() -> None:
        async with AsyncClient(dsn, max_size=2) as db:
            await db.configurations.define("limits", {"a": 1})
            for _ in range(30):
                tasks = [asyncio.create_task(call(db, chance.randrange(4))) for _ in range(6)]
                while not all(task.done() for task in tasks):
                    await asyncio.sleep(chance.random() * 0.004)
                    for task in tasks:
                        if chance.random() < 0.5:
                            task.cancel()
                for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                    assert outcome is None or isinstance(outcome, asyncio.CancelledError)
            wait_until(lambda: len(session_pids(dsn)) <= 2)  # others are ending
            await asyncio.gather(*(db.memory("n").remember(asked("q")) for _ in range(4)))
            assert await db.configurations.load_raw("limits") == {"a": 1}
            assert len(await db.memory("m").log()) % 2 == 0

    asyncio.run(asyncio.wait_for(work(), 60))


def test_cancelled_call_waits_for_its_thread(dsn: str) -> None:
    ended = threading.Event()

    def slow() -> None:
        time.sleep(0.1)
        ended.set()

    async def work() -> None:
        async with AsyncClient(dsn) as db:
            task = asyncio.create_task(db._database.run(Call(slow)))
            for _ in range(3):
                await asyncio.sleep(0.01)
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert ended.is_set()

    asyncio.run(asyncio.wait_for(work(), 30))


def test_cancelled_connection_attempt_is_undone(dsn: str) -> None:
    async def work() -> None:
        connecting, go = asyncio.Event(), asyncio.Event()

        async def connect(deadline: Deadline) -> AsyncTimedConnection:
            connecting.set()
            await go.wait()
            return await AsyncTimedConnection.open(f"{dsn} application_name=draive_pg", deadline)

        pool = AsyncPool(connect, 1)
        others = asyncio.all_tasks()
        opening = asyncio.create_task(pool.acquire(NO_LIMIT))
        await connecting.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert asyncio.all_tasks() == others
        assert not session_pids(dsn)
        go.set()
        pool.release(await pool.acquire(NO_LIMIT))  # its slot is free again
        assert len(session_pids(dsn)) == 1
        pool.close()

    asyncio.run(asyncio.wait_for(work(), 30))


def test_import_that_does_not_end_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless_import.py").write_text("import time\ntime.sleep(1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(uninterrupted_import, "LIMIT", 0.05)
    with pytest.raises(TimeoutError, match=r"import endless_import: it takes more than 0\.05 s"):
        uninterrupted_import.import_uninterrupted("endless_import")


def test_interrupted_connection_attempt_is_undone(dsn: str) -> None:
    interrupted = iter((True, False))

    def connect(deadline: Deadline) -> TimedConnection:
        connection = TimedConnection.open(f"{dsn} application_name=draive_pg", deadline)
        if next(interrupted):
            raise KeyboardInterrupt
        return connection

    pool = Pool(connect, 1)
    with pytest.raises(KeyboardInterrupt):
        pool.acquire(NO_LIMIT)
    pool.release(pool.acquire(NO_LIMIT))
    wait_until(lambda: len(session_pids(dsn)) == 1)
    pool.close()


def test_interrupted_waiter_gets_no_connection(dsn: str) -> None:
    held, done = threading.Event(), threading.Event()
    with Client(dsn, max_size=1) as db, ThreadPoolExecutor(2) as pool:

        def hold() -> None:
            with db.transaction():
                db.memories.identifiers()
                held.set()
                done.wait(30)

        def interrupt() -> None:
            leases: Any = vars(db._database._pool)["_leases"]
            wait_until(lambda: len(leases.waiting) > 0)
            interrupt_main_thread()

        holding = pool.submit(hold)
        held.wait(30)
        interrupting = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            db.memories.identifiers()
        interrupting.result(30)
        done.set()
        holding.result(30)
        with limited(db, ACQUIRE_SECONDS / 2):  # it does not wait for a lost connection
            assert db.memories.identifiers() == ()


def test_pool_replaces_connections_that_were_not_released(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("draive_pg.database.pool.ACQUIRE_SECONDS", 0.1)
    pool = Pool(partial(TimedConnection.open, dsn), 2)
    for _ in range(3):
        pool.acquire(NO_LIMIT)  # as if an interrupt came before the caller got it
        used = [pool.acquire(NO_LIMIT) for _ in range(2)]
        with pytest.raises(TimedOut, match="all 2 connections of this client were in use"):
            pool.acquire(NO_LIMIT)
        while used:
            pool.release(used.pop())
    pool.close()


def test_waiting_thread_gets_connection_before_later_request(dsn: str) -> None:
    pool = Pool(partial(TimedConnection.open, dsn), 1)
    leases: Any = vars(pool)["_leases"]
    order: list[str] = []

    def take(name: str) -> None:
        connection = pool.acquire(NO_LIMIT)
        order.append(name)
        pool.release(connection)

    held = pool.acquire(NO_LIMIT)
    with ThreadPoolExecutor(2) as threads:
        for number, name in enumerate(("first", "second"), 1):
            threads.submit(take, name)
            wait_until(lambda number=number: len(leases.waiting) == number)
        pool.release(held)
        take("later")
    assert order == ["first", "second", "later"]
    pool.close()


def test_waiting_task_gets_connection_before_later_request(dsn: str) -> None:
    order: list[str] = []

    async def work() -> None:
        pool = AsyncPool(partial(AsyncTimedConnection.open, dsn), 1)

        async def take(name: str) -> None:
            connection = await pool.acquire(NO_LIMIT)
            order.append(name)
            pool.release(connection)

        held = await pool.acquire(NO_LIMIT)
        async with asyncio.TaskGroup() as tasks:
            for name in ("first", "second"):
                tasks.create_task(take(name))
            await asyncio.sleep(0)
            pool.release(held)
            await take("later")
        pool.close()

    asyncio.run(work())
    assert order == ["first", "second", "later"]


def test_async_pool_replaces_connections_that_were_not_released(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("draive_pg.database.pool.ACQUIRE_SECONDS", 0.1)

    async def work() -> None:
        pool = AsyncPool(partial(AsyncTimedConnection.open, dsn), 2)
        for _ in range(3):
            await pool.acquire(NO_LIMIT)
            used = [await pool.acquire(NO_LIMIT) for _ in range(2)]
            with pytest.raises(TimedOut, match="all 2 connections of this client were in"):
                await pool.acquire(NO_LIMIT)
            while used:
                pool.release(used.pop())
        pool.close()

    asyncio.run(work())


def test_close_while_connecting_leaves_no_connection(dsn: str) -> None:
    async def work() -> None:
        db = AsyncClient(dsn)
        for _ in range(20):
            opening = asyncio.create_task(db.memories.identifiers())
            await asyncio.sleep(0)
            await db.close()
            await asyncio.gather(opening, return_exceptions=True)
            await db.close()
            wait_until(lambda: not session_pids(dsn))
        assert await db.memories.identifiers() == ()
        await db.close()

    asyncio.run(work())


def test_interrupted_close_leaves_client_usable(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Pool) -> None:
        raise KeyboardInterrupt

    with Client(dsn) as db:
        assert db.memories.identifiers() == ()
        with monkeypatch.context() as patched:
            patched.setattr(Pool, "close", interrupted)
            with pytest.raises(KeyboardInterrupt):
                db.close()
        assert db.memories.identifiers() == ()


def test_client_can_be_closed_while_threads_use_it(dsn: str) -> None:
    with Client(dsn, max_size=2) as db, ThreadPoolExecutor(4) as pool:
        stop = threading.Event()

        def use() -> int:
            calls = 0
            while not stop.is_set():
                db.memory("m").remember(asked("q"))
                calls += 1
            return calls

        users = [pool.submit(use) for _ in range(3)]
        for _ in range(20):
            db.close()
        stop.set()
        assert sum(user.result(30) for user in users) == len(db.memory("m").log())


def test_forked_process_does_not_wait_for_cache_leader_of_parent() -> None:
    code = """
import os
from draive_pg.database.cache import Cache
from draive_pg.operations.operation import Key
cache = Cache(4, 600.0)
assert cache.join(Key("t", "asked by the parent"))[1]
if (child := os.fork()) == 0:
    os._exit(0 if cache.join(Key("t", "asked by the parent"))[1] else 1)
print(os.waitpid(child, 0)[1], cache.join(Key("t", "asked by the parent"))[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("0 False\n", "")


# --- Listening


@pytest.mark.parametrize(
    "payload",
    ["", "7", "[1, [2], 3]", '[null, {}, "x"]', "[" * 7000, '["s", "t"]', '["s", "t", 1]'],
)
def test_unexpected_payload_does_not_stop_listener(
    connect: Connect, dsn: str, sql: psycopg.Connection, payload: str
) -> None:
    db = connect(dsn, live=True)
    db.configurations.configurations()

    def seen(content: dict[str, int]) -> None:
        wait_until(
            lambda: bool(db.memories.identifiers()) or db.configurations.load_raw("a") == content
        )

    seen_before = {"n": 0}
    sql.execute("INSERT INTO configurations VALUES ('a', '{\"n\": 0}')")
    seen(seen_before)
    sql.execute("SELECT pg_notify('draive_pg', $1)", (payload,))
    for number in (1, 2):
        sql.execute(f"UPDATE configurations SET content = '{{\"n\": {number}}}'".encode())
        seen({"n": number})


def test_live_service_without_triggers_warns_once(dsn: str, sql: psycopg.Connection) -> None:
    async def serve() -> None:
        pool = PostgresConnectionPool.of(dsn, connection_limit=2, live=True)
        async with ctx.scope("service", PostgresInstructionsRepository(), disposables=(pool,)):
            for _ in range(2):
                greeting = Instructions.of("greeting")
                assert await InstructionsRepository.resolve(greeting, default="none") == "none"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(serve())
    sql.execute("DROP FUNCTION draive_pg_notify CASCADE")
    with pytest.warns(RuntimeWarning, match="triggers that notify of changes are missing") as told:
        asyncio.run(serve())
    assert len(told) == 1


def test_missing_triggers_warn_after_failed_first_call(
    connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    sql.execute("DROP FUNCTION draive_pg_notify CASCADE")
    db = connect(f"{dsn} options='-c lock_timeout=1'", live=True)
    with sql.transaction():
        sql.execute("LOCK TABLE pg_trigger")
        with pytest.raises(Exception, match="55P03"):
            db.configurations.load_raw("limits")
    with pytest.warns(RuntimeWarning, match="triggers that notify of changes are missing"):
        assert db.configurations.load_raw("limits") is None


def test_interrupted_return_to_the_pool_closes_the_connection(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> bool:
        raise KeyboardInterrupt

    pool = Pool(partial(TimedConnection.open, dsn), 1)
    connection = pool.acquire(NO_LIMIT)
    with monkeypatch.context() as patched:
        patched.setattr("draive_pg.database.pool.is_reusable", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pool.release(connection)
    assert connection.closed
    pool.release(pool.acquire(NO_LIMIT))
    pool.close()
