"""Cancelled and interrupted writes are rolled back, or reported as applied."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from traceback import walk_stack
from typing import NoReturn

import psycopg
import pytest
from draive import ctx
from psycopg_pool import AsyncConnectionPool

from draive_pg import AsyncClient, Client
from draive_pg.adapters import PostgresConnectionPool, PostgresModelMemory
from draive_pg.database import driver
from tests.elements import asked
from tests.fault_server import NO_ROWS, in_background, row_counts, session_pids, table_locked
from tests.recording_proxy import recording
from tests.server import (
    interrupt_main_thread,
    interrupts_raise_only_in,
    wait_for_lock_waiters,
    wait_until,
)

LOCKED = "memories_elements"


@asynccontextmanager
async def waiting_write(dsn: str, far_dsn: str, block: str) -> AsyncGenerator[asyncio.Task[None]]:
    """Provide the task of a write that waits for a lock; the lock is released afterwards."""
    async with AsyncClient(far_dsn, max_size=1) as db:

        async def write() -> None:
            if block == "call":
                await db.memory("m").remember(asked("q"))
            else:
                async with db.transaction():
                    await db.memory("m").remember(asked("q"))

        with table_locked(dsn, LOCKED):
            task = asyncio.create_task(write())
            await asyncio.to_thread(wait_for_lock_waiters, dsn, at_least=1)
            yield task
        await db.memory("after").remember(asked("q"))  # the client still works


@pytest.mark.parametrize("block", ["call", "transaction"])
@pytest.mark.parametrize("cancellations", [1, 2, 5])
def test_cancelled_write_is_rolled_back(dsn: str, block: str, cancellations: int) -> None:
    async def work() -> None:
        async with waiting_write(dsn, wire.dsn, block) as task:
            for _ in range(cancellations):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task

    with recording(dsn) as wire:
        asyncio.run(asyncio.wait_for(work(), 30))
        wait_until(lambda: not session_pids(dsn))
    assert row_counts(dsn) == (1, 0, 1)  # of the memory "after"


@pytest.mark.parametrize("apart", [0.0, 0.001, 0.01])
def test_write_in_nested_timeouts_is_rolled_back(dsn: str, apart: float) -> None:
    async def work() -> None:
        async with AsyncClient(dsn) as db:
            await db.memories.count()
            with table_locked(dsn, LOCKED):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1 + apart), asyncio.timeout(0.1):
                        await db.memory("m").remember(asked("q"))
                assert not await asyncio.to_thread(lock_waiters, dsn)

    asyncio.run(asyncio.wait_for(work(), 30))
    wait_until(lambda: not session_pids(dsn))
    assert row_counts(dsn) == NO_ROWS


def lock_waiters(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        return bool(
            connection.execute(
                "SELECT FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            ).fetchall()
        )


@pytest.mark.parametrize("block", ["call", "transaction"])
@pytest.mark.parametrize("late", ["delayed", "unready"])
def test_write_cancelled_after_its_commit_is_reported_as_applied(
    dsn: str, block: str, late: str
) -> None:
    """The cancellation is delivered at the next ``await``."""

    async def work() -> None:
        async with AsyncClient(wire.dsn, max_size=1) as db:
            await db.memories.count()

            async def write() -> str:
                if block == "call":
                    await db.memory("m").remember(asked("q"))
                else:
                    async with db.transaction():
                        await db.memory("m").remember(asked("q"))
                        setattr(wire, late, True)
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    return "cancelled afterwards"
                return "not cancelled"

            setattr(wire, late, block == "call")
            task = asyncio.create_task(write())
            await asyncio.to_thread(wait_until, lambda: row_counts(dsn) != NO_ROWS)
            task.cancel()
            await asyncio.sleep(0.05)
            setattr(wire, late, False)
            assert await task == "cancelled afterwards"

    with recording(dsn) as wire:
        asyncio.run(asyncio.wait_for(work(), 30))
    assert row_counts(dsn) == (1, 0, 1)


@pytest.mark.parametrize("limit", [None, 0.1])
def test_task_that_ends_with_an_applied_write_is_not_cancelled(
    dsn: str, limit: float | None
) -> None:
    async def work() -> None:
        async with AsyncClient(wire.dsn, max_size=1) as db:
            await db.memories.count()
            wire.delayed = True
            task = asyncio.create_task(db.memory("m").remember(asked("q")))
            await asyncio.to_thread(wait_until, lambda: row_counts(dsn) != NO_ROWS)
            waiting = asyncio.create_task(asyncio.wait_for(task, limit))
            if limit is None:
                task.cancel()
            await asyncio.sleep(0.2)
            wire.delayed = False
            await waiting
            assert not task.cancelled()

    with recording(dsn) as wire:
        asyncio.run(asyncio.wait_for(work(), 30))


def test_timeout_of_applied_write_is_not_raised(dsn: str) -> None:
    async def work() -> None:
        async with AsyncClient(wire.dsn, max_size=1) as db:
            await db.memories.count()

            async def time_out_when_applied() -> None:
                await asyncio.to_thread(wait_until, lambda: row_counts(dsn) != NO_ROWS)
                limit.reschedule(0)
                await asyncio.sleep(0.05)
                wire.delayed = False

            wire.delayed = True
            async with asyncio.timeout(None) as limit:
                timing_out = asyncio.create_task(time_out_when_applied())
                await db.memory("m").remember(asked("q"))
            await asyncio.sleep(0)  # nothing is left of the timeout
            await timing_out
            assert row_counts(dsn) == (1, 0, 1)

    with recording(dsn) as wire:
        asyncio.run(asyncio.wait_for(work(), 30))


@pytest.mark.parametrize("block", ["call", "transaction"])
@pytest.mark.parametrize("interrupts", [1, 2, 5])
def test_interrupted_write_is_rolled_back(dsn: str, block: str, interrupts: int) -> None:
    def interrupt() -> None:
        wait_for_lock_waiters(dsn, at_least=1)
        for _ in range(interrupts):
            interrupt_main_thread()
            time.sleep(0.001)

    def write() -> None:
        with db.transaction() if block == "transaction" else nullcontext():
            db.memory("m").remember(asked("q"))

    with Client(dsn) as db:
        db.memories.count()
        with table_locked(dsn, LOCKED), interrupts_raise_only_in(write):
            with in_background(interrupt), pytest.raises(KeyboardInterrupt):
                write()
            assert not lock_waiters(dsn)
        assert row_counts(dsn) == NO_ROWS
        db.memory("after").remember(asked("q"))


def is_cancelling() -> bool:
    """Return whether a statement is being cancelled on the server."""
    running = [stack for frame in sys._current_frames().values() for stack in walk_stack(frame)]
    return any(frame.f_code.co_name == "settle" for frame, _ in running)


def test_interrupt_after_timeout_is_raised(dsn: str) -> None:
    def interrupt() -> None:
        wait_until(is_cancelling)
        interrupt_main_thread()

    def write() -> None:
        db.memory("m").remember(asked("q"))

    with recording(dsn) as wire, Client(wire.dsn, timeout=0.5) as db:
        db.memories.count()
        wire.delayed = True
        with (
            interrupts_raise_only_in(write),
            in_background(interrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            write()
        wire.delayed = False


def test_cancellation_after_timeout_is_raised(dsn: str) -> None:
    async def work() -> None:
        async with AsyncClient(wire.dsn, timeout=0.5) as db:
            await db.memories.count()
            wire.delayed = True
            task = asyncio.create_task(db.memory("m").remember(asked("q")))
            await asyncio.to_thread(wait_until, is_cancelling)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            wire.delayed = False

    with recording(dsn) as wire:
        asyncio.run(asyncio.wait_for(work(), 30))


def test_thread_of_interrupted_wait_cancels_no_later_statement(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    late: list[threading.Thread] = []

    def start_late(function: Callable[[], None], _: tuple[()]) -> NoReturn:
        """Start a thread that begins its work late, and be interrupted at once."""

        def run() -> None:
            go.wait(30)
            function()

        late.append(threading.Thread(target=run))
        late[0].start()
        raise KeyboardInterrupt

    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    with Client(dsn, max_size=1) as db, ThreadPoolExecutor(1) as pool:
        db.memories.count()
        with monkeypatch.context() as patched:
            patched.setattr(driver, "wait", interrupted)
            patched.setattr(driver, "start_new_thread", start_late)
            with pytest.raises(KeyboardInterrupt):
                db.memory("m").remember(asked("never sent"))
        with table_locked(dsn, LOCKED):
            writing = pool.submit(db.memory("m").remember, asked("q"))
            wait_for_lock_waiters(dsn, at_least=1)
            go.set()
            late[0].join(30)
        writing.result(30)
        assert db.memory("m").log().text.tolist() == ["q"]


def test_cancellation_while_connection_is_returned_is_raised_after_the_call(dsn: str) -> None:
    class SlowPool(AsyncConnectionPool):
        """A pool that is slow to take a connection back."""

        async def putconn(self, conn: psycopg.AsyncConnection) -> None:
            returning.set()
            await taken_back.wait()
            await super().putconn(conn)

    returning, taken_back = asyncio.Event(), asyncio.Event()
    results: list[int] = []

    async def count(db: AsyncClient) -> None:
        results.append(await db.memories.count())
        await asyncio.Event().wait()

    async def work() -> None:
        async with SlowPool(dsn, min_size=1, open=False) as pool:
            taken_back.set()
            db = AsyncClient(pool=pool)
            await db.memories.count()
            returning.clear()
            taken_back.clear()
            counting = asyncio.create_task(count(db))
            await returning.wait()
            counting.cancel()
            await asyncio.sleep(0)
            taken_back.set()
            await asyncio.wait([counting], timeout=5)
            assert counting.cancelled()

    asyncio.run(asyncio.wait_for(work(), 30))
    assert results == [0]


def test_interrupt_of_applied_write_has_note(dsn: str) -> None:
    with recording(dsn) as wire, Client(wire.dsn) as db:
        db.memories.count()
        wire.delayed = True

        def interrupt() -> None:
            wait_until(lambda: row_counts(dsn) != NO_ROWS)
            interrupt_main_thread()
            time.sleep(0.05)
            wire.delayed = False

        with in_background(interrupt), pytest.raises(KeyboardInterrupt) as interrupted:
            db.memory("m").remember(asked("q"))
        assert interrupted.value.__notes__ == ["The write was applied before the interrupt."]


# A commit that a cancel request does not end, as with synchronous replication: it waits for a lock.
SLOW_COMMIT = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        BEGIN
            PERFORM pg_advisory_xact_lock(1);
            EXIT;
        EXCEPTION WHEN query_canceled THEN
            NULL;
        END;
    END LOOP;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON memories_elements DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow();
"""


@pytest.mark.parametrize("cancellations", [1, 2])
def test_write_of_adapter_that_is_applied_does_not_raise(
    dsn: str, sql: psycopg.Connection, cancellations: int
) -> None:
    async def work() -> None:
        pool = PostgresConnectionPool.of(dsn, connection_limit=1)
        async with ctx.scope("service", disposables=(pool,)):
            task = asyncio.create_task(PostgresModelMemory("m").remember(asked("q")))
            await asyncio.to_thread(wait_for_lock_waiters, dsn, at_least=1)
            for _ in range(cancellations):
                task.cancel()
                await asyncio.sleep(0.01)
            sql.execute("SELECT pg_advisory_unlock(1)")
            await task
            assert row_counts(dsn) == (1, 0, 1)
            await PostgresModelMemory("m").recall()

    sql.execute(SLOW_COMMIT)
    sql.execute("SELECT pg_advisory_lock(1)")
    asyncio.run(asyncio.wait_for(work(), 30))
