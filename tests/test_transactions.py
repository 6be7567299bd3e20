"""Transactions, with both clients."""

import asyncio
import contextlib
import contextvars
import os
import threading
import warnings
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from draive_pg import AsyncClient, Client, ConnectionFailed, OperationFailed, TableMissing
from draive_pg.database.deadline import Deadline
from draive_pg.database.driver import (
    BEGIN,
    COMMIT,
    AsyncTimedConnection,
    Exchange,
    TimedConnection,
)
from tests.conftest import Connect
from tests.elements import asked, texts
from tests.fault_server import limited
from tests.server import wait_for_lock_waiters


def test_transaction_commits_all_operations_together(db: Client, dsn: str) -> None:
    with Client(dsn) as other:
        with db.transaction() as tx:
            tx.configurations.define("limits", {"a": 1})
            tx.instructions.define("greeting", content="Hello")
            tx.memory("m").remember(asked("q"))
            tx.memories.import_chat("chat", [{"role": "user", "content": "hi"}])
            assert other.configurations.configurations() == ()
            assert other.memories.identifiers() == ()
            assert tx.configurations.load_raw("limits") == {"a": 1}
        other.close()  # with what it cached
    with Client(dsn) as other:
        assert other.configurations.load_raw("limits") == {"a": 1}
        assert other.instructions.load("greeting") == "Hello"
        assert other.memories.identifiers() == ("chat", "m")


def test_exception_rolls_back_transaction(db: Client) -> None:
    db.configurations.define("limits", {"a": 0})
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.configurations.define("limits", {"a": 1})
        db.memory("m").remember(asked("q"))
        assert texts(db.memory("m").recall().context) == ["q"]
        raise ZeroDivisionError
    assert db.configurations.load_raw("limits") == {"a": 0}
    assert db.memories.identifiers() == ()


def test_calls_on_client_join_transaction(db: Client) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.configurations.define("limits", {"a": 1})
        raise ZeroDivisionError
    assert db.configurations.load_raw("limits") is None


def test_nested_transactions_are_savepoints(db: Client) -> None:
    with db.transaction():
        db.configurations.define("outer", {})
        with pytest.raises(ZeroDivisionError), db.transaction():
            db.configurations.define("inner", {})
            raise ZeroDivisionError
        with db.transaction():
            db.configurations.define("second", {})
    assert db.configurations.configurations() == ("outer", "second")


def test_a_rolled_back_value_is_never_served(db: Client) -> None:
    db.instructions.define("greeting", content="old")
    assert db.instructions.load("greeting") == "old"
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.instructions.define("greeting", content="new")
        assert db.instructions.load("greeting") == "new"
        assert [found.name for found in db.instructions.available_instructions()] == ["greeting"]
        raise ZeroDivisionError
    assert db.instructions.load("greeting") == "old"


def test_committed_value_is_served_immediately(db: Client) -> None:
    db.instructions.define("greeting", content="old")
    assert db.instructions.load("greeting") == "old"
    with db.transaction():
        db.instructions.define("greeting", content="new")
    assert db.instructions.load("greeting") == "new"


def test_failed_statement_aborts_transaction(db: Client) -> None:
    with pytest.raises(OperationFailed, match=r"\(25P02\)"), db.transaction():
        db.configurations.define("limits", {})
        with pytest.raises(OperationFailed):
            db.memory("x" * 10_000 + "".join(chr(0x4E00 + n) for n in range(5000))).remember(
                asked("its index row is too large")
            )
        db.configurations.define("limits", {})
    assert db.configurations.configurations() == ()


def test_caught_error_still_fails_commit(db: Client) -> None:
    with pytest.raises(OperationFailed, match="nothing was committed"), db.transaction():
        db.memory("kept?").remember(asked("q"))
        with contextlib.suppress(OperationFailed):
            db.memory("\u4e00".join(map(chr, range(0x4E00, 0x7000)))).remember(asked("too long"))
    assert db.memories.identifiers() == ()


def test_caught_error_in_nested_transaction_keeps_outer_one(db: Client) -> None:
    with db.transaction():
        db.memory("kept").remember(asked("q"))
        with contextlib.suppress(OperationFailed), db.transaction():
            db.memory("\u4e00".join(map(chr, range(0x4E00, 0x7000)))).remember(asked("too long"))
        db.memory("kept").remember(asked("q"))
    assert len(db.memory("kept").log()) == 2


@pytest.mark.parametrize("within", ["transaction", "call"])
def test_error_while_sending_leaves_connection_usable(
    connect: Connect, dsn: str, sql: psycopg.Connection, within: str
) -> None:
    db = connect(dsn + " options='-c lock_timeout=1'", max_size=1)
    sql.execute("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('memories/m', 0))")
    block = db.transaction if within == "transaction" else contextlib.nullcontext
    with pytest.raises(OperationFailed, match="55P03"), block():
        db.memory("m").remember(asked("much " * 4_000_000))
    sql.execute("ROLLBACK")
    db.memory("m").remember(asked("q"))
    assert texts(db.memory("m").recall().context) == ["q"]


def test_errors_of_other_connections_propagate_unchanged(
    db: Client, sql: psycopg.Connection
) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), db.transaction():
        db.configurations.define("limits", {})
        sql.execute("SELECT 1 / 0")
    assert db.configurations.configurations() == ()


def test_tasks_in_transaction_are_serialized(dsn: str) -> None:
    async def work() -> None:
        async with AsyncClient(dsn) as db:
            await db.instructions.define("greeting", content="Hello")
            async with db.transaction():
                results = await asyncio.gather(
                    *(db.memory(str(n)).remember(asked("q")) for n in range(5)),
                    db.instructions.load("greeting"),
                    db.memory("5").recall(),
                    nested(db),
                )
                assert results[5] == "Hello"
                assert len(await db.memories.identifiers()) == 6
            assert len(await db.memories.identifiers()) == 6

    async def nested(db: AsyncClient) -> None:
        async with db.transaction():
            await db.memory("nested").remember(asked("q"))

    asyncio.run(work())


def test_task_outliving_transaction_does_not_join_next_one(dsn: str) -> None:
    async def work() -> None:
        async with AsyncClient(dsn, max_size=2) as db:
            go = asyncio.Event()

            async def later() -> None:
                await go.wait()
                await db.instructions.define("later", content="kept")

            async with db.transaction():
                task = asyncio.create_task(later())
                await db.memories.identifiers()
            with pytest.raises(ZeroDivisionError):
                async with db.transaction():
                    go.set()
                    await task
                    raise ZeroDivisionError
            assert await db.instructions.load("later") == "kept"

    asyncio.run(work())


def test_transaction_can_be_exited_by_another_task(dsn: str) -> None:
    async def work() -> None:
        async with AsyncClient(dsn) as db:
            await db.instructions.define("greeting", content="old")
            assert await db.instructions.load("greeting") == "old"

            async def block() -> AsyncGenerator[None]:
                async with db.transaction():
                    await db.instructions.define("greeting", content="new")
                    yield

            generator = block()
            await anext(generator)
            assert await asyncio.create_task(anext(generator, "end")) == "end"
            assert await db.instructions.load("greeting") == "new"
            await db.instructions.define("greeting", content="newest")
            assert await db.instructions.load("greeting") == "newest"

    asyncio.run(work())


def test_setup_joins_transaction(empty_dsn: str, connect: Connect) -> None:
    fresh = connect(empty_dsn)
    with pytest.raises(ZeroDivisionError), fresh.transaction():
        assert fresh.setup() != ()
        fresh.configurations.define("limits", {})
        raise ZeroDivisionError
    with pytest.raises(TableMissing):
        fresh.configurations.configurations()


def test_other_threads_do_not_join_transaction(dsn: str) -> None:
    async def work() -> None:
        with db.transaction():
            db.configurations.define("limits", {})
            assert await asyncio.to_thread(db.configurations.configurations) == ()
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(db.configurations.configurations).result(30) == ()
        async with async_db.transaction():
            await async_db.configurations.define("other", {})
            listed = await asyncio.to_thread(asyncio.run, async_db.configurations.configurations())
            assert listed == ("limits",)
            assert await async_db.configurations.configurations() == ("limits", "other")
        await async_db.close()

    async_db = AsyncClient(dsn)
    with Client(dsn) as db:
        asyncio.run(work())


# --- Blocks that end before what they contain


LOCK_OF_B = "SELECT pg_advisory_lock(hashtextextended('memories/b', 0))"
CANCEL_LOCK_WAITERS = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_child_that_fails_at_the_end_of_a_block_fails_its_commit(
    dsn: str, sql: psycopg.Connection, end: str
) -> None:
    async def work() -> None:
        async with AsyncClient(dsn) as db:
            children: list[asyncio.Task[None]] = []
            sql.execute(LOCK_OF_B)
            with pytest.raises(OperationFailed, match="nothing was committed"):
                async with db.transaction():
                    await db.memory("a").remember(asked("q"))
                    children.append(asyncio.create_task(db.memory("b").remember(asked("q"))))
                    await asyncio.to_thread(wait_for_lock_waiters, dsn, at_least=1)
                    if end == "cancelled":
                        children[0].cancel()
                    else:
                        sql.execute(CANCEL_LOCK_WAITERS)
            await asyncio.gather(*children, return_exceptions=True)
            sql.execute("SELECT pg_advisory_unlock_all()")
            assert await db.memories.identifiers() == ()

    asyncio.run(asyncio.wait_for(work(), 30))


def test_commit_that_rolls_back_raises(dsn: str) -> None:
    async def work() -> None:
        connection = await AsyncTimedConnection.open(dsn, Deadline(10.0))
        await connection.run(Exchange(connection, (BEGIN, None)))
        with pytest.raises(psycopg.errors.DivisionByZero):
            await connection.run(Exchange(connection, (b"SELECT 1 / 0", ())))
        with pytest.raises(psycopg.errors.InFailedSqlTransaction, match="nothing was committed"):
            await connection.run(Exchange(connection, (COMMIT, None)))
        await connection.close()

    asyncio.run(work())
    connection = TimedConnection.open(dsn, Deadline(10.0))
    connection.run(Exchange(connection, (BEGIN, None)))
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.run(Exchange(connection, (b"SELECT 1 / 0", ())))
    with pytest.raises(psycopg.errors.InFailedSqlTransaction, match="nothing was committed"):
        connection.run(Exchange(connection, (COMMIT, None)))
    connection.close()


@pytest.mark.parametrize("end", ["timeout", "cancelled", "error"])
def test_nested_transaction_that_outlives_its_outer_one_is_rolled_back(dsn: str, end: str) -> None:
    """It holds the only connection; the next transaction, of another task, gets a new one."""

    async def work() -> None:
        async with AsyncClient(dsn, max_size=1) as db:
            entered, go = asyncio.Event(), asyncio.Event()

            async def child() -> None:
                async with db.transaction():
                    await db.memory("b").remember(asked("q"))
                    entered.set()
                    await go.wait()
                    with pytest.raises(OperationFailed, match="the block around a nested"):
                        await db.memory("b").remember(asked("q"))

            async def parent() -> asyncio.Task[None]:
                async with db.transaction():
                    await db.memory("a").remember(asked("q"))
                    task = tasks["child"] = asyncio.create_task(child())
                    await entered.wait()
                    if end != "cancelled":
                        limits.enter_context(limited(db, 0.2))
                    if end == "error":
                        raise ZeroDivisionError
                return task

            tasks: dict[str, asyncio.Task[None]] = {}
            expected = {"timeout": OperationFailed, "error": ZeroDivisionError}
            with contextlib.ExitStack() as limits, pytest.raises(expected.get(end, TimeoutError)):
                running = asyncio.create_task(parent())
                await entered.wait()
                await asyncio.wait_for(running, 0.2 if end == "cancelled" else 30)
            async with db.transaction():
                await db.memory("c").remember(asked("q"))
                go.set()
                with pytest.raises(OperationFailed, match="the block around a nested"):
                    await tasks["child"]
                await db.memory("c").remember(asked("q"))
            assert await db.memories.identifiers() == ("c",)
            assert len(await db.memory("c").log()) == 2

    asyncio.run(asyncio.wait_for(work(), 30))


def test_generator_with_nested_transaction_that_outlives_the_outer_one_is_rolled_back(
    dsn: str,
) -> None:
    def steps() -> Generator[None]:
        with db.transaction():
            while True:
                db.memory("b").remember(asked("q"))
                yield

    def use() -> None:
        with db.transaction():
            db.memory("c").remember(asked("q"))
            closing.set()
            closed.wait(30)
            db.memory("c").remember(asked("q"))

    closing, closed = threading.Event(), threading.Event()
    with Client(dsn, max_size=1) as db, ThreadPoolExecutor(1) as pool:
        generator = steps()
        with pytest.raises(OperationFailed, match="nothing was committed"), db.transaction():
            db.memory("a").remember(asked("q"))
            next(generator)
        using = pool.submit(use)
        closing.wait(30)
        with pytest.raises(OperationFailed, match="the block around a nested"):
            next(generator)
        closed.set()
        using.result(30)
        assert db.memories.identifiers() == ("c",)
        assert len(db.memory("c").log()) == 2


def test_statement_of_child_is_ended_when_its_block_is_cancelled(
    dsn: str, sql: psycopg.Connection
) -> None:
    async def work() -> None:
        async with AsyncClient(dsn, max_size=1) as db:
            sql.execute(LOCK_OF_B)

            async def parent() -> None:
                async with db.transaction():
                    children.append(asyncio.create_task(db.memory("b").remember(asked("q"))))
                    await asyncio.to_thread(wait_for_lock_waiters, dsn, at_least=1)
                    own.cancel()

            children: list[asyncio.Task[None]] = []
            own = asyncio.create_task(parent())
            with pytest.raises(asyncio.CancelledError):
                await own
            with pytest.raises(ConnectionFailed):
                await children[0]
            sql.execute("SELECT pg_advisory_unlock_all()")
            assert await db.memories.identifiers() == ()

    asyncio.run(asyncio.wait_for(work(), 30))


def test_task_of_a_block_that_failed_writes_nothing_afterwards(dsn: str) -> None:
    async def work() -> None:
        async with AsyncClient(dsn) as db:
            children: list[asyncio.Task[None]] = []
            failed = asyncio.Event()

            async def order() -> None:
                await db.memory("order").remember(asked("reserve"))
                await failed.wait()
                await db.memory("order").remember(asked("charge"))

            with pytest.raises(ZeroDivisionError):
                async with db.transaction():
                    children.append(asyncio.create_task(order()))
                    independent = asyncio.create_task(
                        db.memory("log").remember(asked("q")), context=contextvars.Context()
                    )
                    await asyncio.wait([independent])
                    raise ZeroDivisionError
            failed.set()
            with pytest.raises(OperationFailed, match="has failed, so nothing of the task is kept"):
                await children[0]
            assert await db.memories.identifiers() == ("log",)

    asyncio.run(asyncio.wait_for(work(), 30))


def test_task_of_nested_block_that_committed_is_part_of_the_outer_one(dsn: str) -> None:
    async def work() -> None:
        async with AsyncClient(dsn) as db:
            committed = asyncio.Event()

            async def later() -> None:
                await committed.wait()
                await db.memory("m").remember(asked("q"))

            with pytest.raises(ZeroDivisionError):
                async with db.transaction():
                    async with db.transaction():
                        task = asyncio.create_task(later())
                        await db.memories.count()
                    committed.set()
                    await task
                    raise ZeroDivisionError
            assert await db.memories.identifiers() == ()

    asyncio.run(asyncio.wait_for(work(), 30))


def test_calls_work_after_another_task_rolled_back_the_block(dsn: str) -> None:
    async def work() -> None:
        async with AsyncClient(dsn) as db:

            async def block() -> AsyncGenerator[None]:
                async with db.transaction():
                    await db.memory("a").remember(asked("q"))
                    yield

            generator = block()
            await anext(generator)
            with pytest.raises(ZeroDivisionError):
                await asyncio.create_task(throw(generator))
            await db.memory("b").remember(asked("q"))
            assert await db.memories.identifiers() == ("b",)

    async def throw(generator: AsyncGenerator[None]) -> None:
        await generator.athrow(ZeroDivisionError)

    asyncio.run(asyncio.wait_for(work(), 30))


# --- Processes forked in a block


def in_forked_process(body: Callable[[], object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            body()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_process_forked_in_a_block_does_not_end_it(db: Client, dsn: str) -> None:
    def commit() -> None:
        with pytest.raises(OperationFailed, match="forked in its block"):
            block.__exit__(None, None, None)

    def roll_back() -> None:
        block.__exit__(SystemExit, SystemExit(), None)

    block = db.transaction()
    block.__enter__()
    db.configurations.define("before", {})
    in_forked_process(commit)
    in_forked_process(roll_back)
    db.configurations.define("after", {})
    block.__exit__(None, None, None)
    with Client(dsn) as other:
        assert other.configurations.configurations() == ("after", "before")


def test_process_forked_in_a_stream_does_not_end_it(dsn: str) -> None:
    def read() -> None:
        with pytest.raises(ConnectionFailed, match="the process that forked this one"):
            list(chunks)

    with Client(dsn) as db:
        db.memory("m").remember(*[asked("q" * 1000)] * 3000)
        chunks = db.frames.chunks("conversation_log", rows=500)
        rows = len(next(chunks))
        in_forked_process(chunks.close)
        in_forked_process(read)
        assert rows + sum(map(len, chunks)) == 3000
