"""Clients of given connections and pools, and the connection of a transaction."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from draive_pg import (
    AsyncClient,
    Client,
    ConnectionFailed,
    MemoryExists,
    OperationFailed,
    TimedOut,
)
from tests.elements import asked
from tests.fault_server import limited
from tests.sync_facade import SyncFacade


@pytest.fixture(params=[True, False], ids=["autocommit", "no autocommit"])
def owned(request: pytest.FixtureRequest, dsn: str) -> Any:
    with psycopg.connect(dsn, autocommit=request.param) as connection:
        connection.execute("CREATE TEMPORARY TABLE visits (id INT)")
        connection.commit()
        yield connection


def count(sql: psycopg.Connection) -> int:
    return sql.execute("SELECT count(*) FROM memories_elements").fetchone()[0]


def test_call_on_idle_connection_is_a_transaction(
    owned: psycopg.Connection, sql: psycopg.Connection
) -> None:
    with Client(pool=owned) as db:
        db.memory("m").remember(asked("q"))
        assert count(sql) == 1
        assert db.memory("m").log()["text"].tolist() == ["q"]
        with db.transaction():
            db.memory("m").remember(asked("q2"))
        assert count(sql) == 2
        assert repr(db) == "Client(pool=Connection)"
    assert not owned.closed
    assert owned.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert owned.execute("SELECT 1").fetchone() == (1,)


def test_call_in_transaction_of_the_caller_commits_nothing(
    owned: psycopg.Connection, sql: psycopg.Connection
) -> None:
    db = Client(pool=owned)
    with pytest.raises(ZeroDivisionError), owned.transaction():
        db.memory("m").remember(asked("q"))
        owned.execute("INSERT INTO visits VALUES (1)")
        assert len(db.memory("m").log()) == 1
        raise ZeroDivisionError
    assert count(sql) == 0
    with owned.transaction():
        db.memory("m").remember(asked("q"))
        with db.transaction():
            db.memory("m").remember(asked("q2"))
        assert count(sql) == 0
        owned.execute("INSERT INTO visits VALUES (1)")
    assert count(sql) == 2
    assert owned.execute("SELECT * FROM visits").fetchall() == [(1,)]


def test_failed_call_keeps_transaction_of_the_caller(
    owned: psycopg.Connection, sql: psycopg.Connection
) -> None:
    db = Client(pool=owned)
    with owned.transaction():
        db.memory("m").remember(asked("q"))
        with pytest.raises(OperationFailed):
            db.memory("x" * 10_000 + "".join(map(chr, range(0x4E00, 0x7000)))).remember(asked("q"))
        with pytest.raises(OperationFailed, match="does not exist"):
            db.memories.search("q", language="missing")
        with pytest.raises(MemoryExists):
            db.memory("m").fork("m")
        for chunk in db.frames.chunks("conversation_log", rows=1):
            assert len(chunk) == 1
            break
        db.memory("m").remember(asked("q2"))
    assert count(sql) == 2


def test_connection_that_cannot_be_used_is_refused(dsn: str) -> None:
    with psycopg.connect(dsn) as owned:
        db = Client(pool=owned)
        with owned.pipeline(), pytest.raises(OperationFailed, match="pipeline mode"):
            db.memories.count()
        owned.rollback()
        assert db.memories.count() == 0
        owned.execute("SET client_encoding = 'LATIN1'")
        with pytest.raises(OperationFailed, match="encoding iso8859-1"):
            db.memories.count()
        owned.rollback()
    with pytest.raises(ConnectionFailed, match="the given connection is closed"):
        db.memories.count()


def test_single_connection_is_used_by_one_call_at_a_time(dsn: str) -> None:
    with psycopg.connect(dsn) as owned:
        db = Client(pool=owned)
        with db.transaction(), ThreadPoolExecutor(1) as thread:
            db.memory("m").remember(asked("q"))
            with limited(db, 0.2), pytest.raises(TimedOut, match="stayed in use"):
                thread.submit(db.memories.count).result()
        assert db.memories.count() == 1


def test_client_returns_connections_of_pool(dsn: str, sql: psycopg.Connection) -> None:
    pools = pytest.importorskip("psycopg_pool")
    with pools.ConnectionPool(dsn, min_size=1, max_size=2) as pool, Client(pool=pool) as db:
        for n in range(5):
            db.memory("m").remember(asked(f"{n}"))
        with db.transaction() as tx:
            tx.memory("m").remember(asked("5"))
            assert tx.connection.execute("SELECT %s::INT", (1,)).fetchone() == (1,)
        db.close()
        assert count(sql) == 6
        sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        with suppress(ConnectionFailed):  # it is retried if the server says why the session ended
            db.memory("m").remember(asked("retried or lost"))
        db.memory("m").remember(asked("6"))
        assert db.memory("m").log()["text"].iloc[-1] == "6"
        with pool.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_async_client_uses_given_connections(dsn: str, sql: psycopg.Connection) -> None:
    pools = pytest.importorskip("psycopg_pool")

    async def use(db: AsyncClient) -> None:
        await db.memory("m").remember(asked("q"))
        async with db.transaction() as tx:
            await tx.memory("m").remember(asked("q"))
            cursor = await tx.connection.execute("SELECT %s::INT", (1,))
            assert await cursor.fetchone() == (1,)
        await asyncio.gather(*(db.memory("m").elements(1) for _ in range(5)))

    async def main() -> None:
        async with pools.AsyncConnectionPool(dsn, min_size=1, max_size=2, open=False) as pool:
            await use(AsyncClient(pool=pool))
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            db = AsyncClient(pool=connection)
            await use(db)
            with pytest.raises(ZeroDivisionError):
                async with connection.transaction():
                    await use(db)
                    raise ZeroDivisionError
            async with connection.transaction():
                with pytest.raises(OperationFailed):
                    await db.memories.search("q", language="missing")
                await db.memory("m").remember(asked("q"))
            task = asyncio.create_task(db.memory("m").remember(asked("q")))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await db.memories.count() == 1

    asyncio.run(main())
    assert count(sql) in (5, 6)


def test_unsuitable_pools_are_refused(dsn: str) -> None:
    with psycopg.connect(dsn) as owned:
        calls: dict[str, Callable[[], object]] = {
            "must be a psycopg AsyncConnection, .* or a SQLAlchemy AsyncEngine": lambda: (
                AsyncClient(pool=owned)
            ),
            "must be a psycopg Connection, a psycopg_pool": lambda: Client(pool=object()),
        }
        for message, call in calls.items():
            with pytest.raises(TypeError, match=message):
                call()
        with pytest.raises(ValueError, match="excludes a dsn"):
            Client(dsn, pool=owned)
        with pytest.raises(ValueError, match="live=True"):
            Client(pool=owned, live=True)
        with pytest.raises(OperationFailed, match="connection of its own"):
            next(Client(pool=owned).changes())


def test_rows_of_the_application_are_committed_with_memory(
    db: Client, sql: psycopg.Connection
) -> None:
    sql.execute("CREATE TABLE visits (id INT)")

    def write(fail: Callable[[], object]) -> None:
        with db.transaction():
            db.memory("m").remember(asked("q"))
            run(db, "INSERT INTO visits VALUES (%s)", (1,))
            with db.transaction():
                run(db, "INSERT INTO visits VALUES (%s)", (2,))
            fail()

    with pytest.raises(ZeroDivisionError):
        write(lambda: 1 // 0)
    assert (count(sql), sql.execute("SELECT * FROM visits").fetchall()) == (0, [])
    write(lambda: None)
    assert (count(sql), sql.execute("SELECT * FROM visits").fetchall()) == (1, [(1,), (2,)])


def test_transaction_that_is_ended_in_its_block_is_an_error(db: Client) -> None:
    with pytest.raises(OperationFailed, match="it was ended in the block"), db.transaction():
        db.memory("m").remember(asked("q"))
        run(db, "COMMIT", ())
    with pytest.raises(OperationFailed, match="there is no transaction"):
        run(db, "SELECT 1", ())
    assert db.memories.count() == 1


def run(db: Any, text: str, parameters: tuple[object, ...]) -> None:
    """Execute a statement on the connection of the transaction of a client of either colour."""

    async def execute() -> None:
        await db._target.connection.execute(text, parameters)

    if isinstance(db, SyncFacade):
        db._run(execute())
    else:
        db.connection.execute(text, parameters)
