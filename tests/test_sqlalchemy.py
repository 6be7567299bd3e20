"""Clients of SQLAlchemy engines, and of the connections of its sessions."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from draive_pg import AsyncClient, Client, ConnectionFailed, TimedOut
from tests.elements import asked

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("default"),  # its warnings are not ours
]

sqlalchemy = pytest.importorskip("sqlalchemy", reason="pip install --group frameworks")
orm = pytest.importorskip("sqlalchemy.orm")
aio = pytest.importorskip("sqlalchemy.ext.asyncio")


def url(dsn: str, driver: str = "psycopg") -> Any:
    address = conninfo_to_dict(dsn)
    return sqlalchemy.URL.create(
        f"postgresql+{driver}",
        username=address.get("user"),
        password=address.get("password"),
        database=address["dbname"],
        query={"host": str(address["host"]), "port": str(address.get("port", 5432))},
    )


@pytest.fixture
def engine(dsn: str) -> Iterator[Any]:
    engine = sqlalchemy.create_engine(url(dsn), pool_size=2, max_overflow=0, pool_timeout=0.2)
    yield engine
    engine.dispose()


def run_with_engine(dsn: str, body: Callable[[Any], Awaitable[None]]) -> None:
    @asynccontextmanager
    async def opened() -> AsyncGenerator[Any]:
        engine = aio.create_async_engine(url(dsn), pool_size=2, max_overflow=0, pool_timeout=0.2)
        yield engine
        await engine.dispose()

    async def main() -> None:
        async with opened() as engine:
            await body(engine)

    asyncio.run(main())


def count(sql: psycopg.Connection) -> int:
    return sql.execute("SELECT count(*) FROM memories_elements").fetchone()[0]


def end_other_sessions(sql: psycopg.Connection) -> None:
    sql.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )


def test_client_uses_connections_of_engine(engine: Any, sql: psycopg.Connection) -> None:
    with Client(pool=engine) as db:
        for n in range(5):
            db.memory("m").remember(asked(f"{n}"))
        with db.transaction() as tx:
            tx.memory("m").remember(asked("5"))
            tx.connection.execute("SELECT 1")
        assert len(db.memory("m").log()) == count(sql) == 6
        with pytest.raises(ZeroDivisionError), db.transaction():
            db.memory("m").remember(asked("6"))
            raise ZeroDivisionError
    assert count(sql) == 6
    assert engine.pool.checkedout() == 0
    assert engine.pool.checkedin() == 1


def test_lost_connection_of_engine_is_replaced(
    engine: Any, sql: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    db = Client(pool=engine)
    db.memory("m").remember(asked("q"))
    end_other_sessions(sql)
    db.memory("m").remember(asked("q2"))
    assert count(sql) == 2
    assert engine.pool.checkedout() == 0
    assert "sqlalchemy.pool" not in {record.name.rpartition(".")[0] for record in caplog.records}


def test_errors_of_engine_are_ours(engine: Any) -> None:
    db = Client(pool=engine)
    with engine.connect(), engine.connect(), pytest.raises(TimedOut, match="QueuePool limit"):
        db.memories.count()
    nowhere = sqlalchemy.create_engine("postgresql+psycopg://nowhere.invalid/x")
    with pytest.raises(ConnectionFailed, match=r"^connect: "):
        Client(pool=nowhere).memories.count()


def test_memory_commits_with_session(engine: Any, sql: psycopg.Connection) -> None:
    sql.execute("CREATE TABLE visits (id INT)")
    with orm.Session(engine) as session:
        session.execute(sqlalchemy.text("INSERT INTO visits VALUES (1)"))
        db = Client(pool=session.connection().connection.driver_connection)
        db.memory("m").remember(asked("q"))
        assert count(sql) == 0
        session.rollback()
    with orm.Session(engine) as session:
        session.execute(sqlalchemy.text("INSERT INTO visits VALUES (2)"))
        db = Client(pool=session.connection().connection.driver_connection)
        db.memory("m").remember(asked("q"))
        session.commit()
    assert (count(sql), sql.execute("SELECT id FROM visits").fetchall()) == (1, [(2,)])


def test_async_client_uses_connections_of_engine(dsn: str, sql: psycopg.Connection) -> None:
    async def use(engine: Any) -> None:
        db = AsyncClient(pool=engine)
        await asyncio.gather(*(db.memory(f"m{n}").remember(asked("q")) for n in range(2)))
        async with db.transaction() as tx:
            await tx.memory("m").remember(asked("q"))
            await tx.connection.execute("SELECT 1")
        task = asyncio.create_task(db.memory("m").remember(asked("q")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert engine.pool.checkedout() == 0
        end_other_sessions(sql)
        with pytest.raises(ConnectionFailed):
            await db.memory("m").remember(asked("lost"))
        await db.memory("m").remember(asked("q2"))
        assert engine.pool.checkedout() == 0
        async with engine.connect(), engine.connect():
            with pytest.raises(TimedOut, match="QueuePool limit"):
                await db.memories.count()

    run_with_engine(dsn, use)
    assert count(sql) in (4, 5)


def test_memory_commits_with_async_session(dsn: str, sql: psycopg.Connection) -> None:
    async def use(engine: Any) -> None:
        for end in ("rollback", "commit"):
            async with aio.AsyncSession(engine) as session:
                await session.execute(sqlalchemy.text("SELECT 1"))
                connection = await (await session.connection()).get_raw_connection()
                db = AsyncClient(pool=connection.driver_connection)
                await db.memory(end).remember(asked("q"))
                await getattr(session, end)()

    run_with_engine(dsn, use)
    assert count(sql) == 1


def test_engine_of_other_driver_or_colour_is_refused(dsn: str, engine: Any) -> None:
    with pytest.raises(TypeError, match="or a SQLAlchemy AsyncEngine, not Engine"):
        AsyncClient(pool=engine)
    pytest.importorskip("asyncpg")

    async def use() -> None:
        other = aio.create_async_engine(url(dsn, "asyncpg"))
        with pytest.raises(TypeError, match="or a SQLAlchemy Engine, not AsyncEngine"):
            Client(pool=other)
        with pytest.raises(TypeError, match="must be psycopg"):
            await AsyncClient(pool=other).memories.count()
        assert other.pool.checkedout() == 0
        await other.dispose()

    asyncio.run(use())
