"""Transactions, with both clients."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from draive_pg import AsyncClient, Client, OperationFailed, TableMissing
from tests.conftest import Connect
from tests.elements import asked, texts


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
