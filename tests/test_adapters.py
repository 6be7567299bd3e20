"""Caching, transactions and errors of the adapters; `test_seed` covers their interfaces."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import draive.postgres
import psycopg
import pytest
from draive import (
    ConfigurationRepository,
    DataModel,
    Instructions,
    InstructionsMissing,
    InstructionsRepository,
    TextEmbedding,
    VectorIndex,
    ctx,
)
from draive.embedding import Embedded

from draive_pg import Client, ConnectionFailed, adapters
from draive_pg.adapters import (
    Postgres,
    PostgresConfigurationRepository,
    PostgresConnection,
    PostgresConnectionPool,
    PostgresException,
    PostgresInstructionsRepository,
    PostgresModelMemory,
)
from tests.draive_scope import InScope, Pool, asyncpg_pool, psycopg_pool
from tests.elements import asked, texts
from tests.fault_server import session_pids
from tests.server import wait_until
from tests.test_versioned_documents import DUMP, run_sql

GREETING = Instructions.of("greeting")


def service(dsn: str, body: Callable[[], Any]) -> None:
    """Run a body in the scope of a draive service."""

    async def run() -> None:
        pool = PostgresConnectionPool.of(dsn, connection_limit=4)
        async with ctx.scope("service", PostgresInstructionsRepository(), disposables=(pool,)):
            await body()

    asyncio.run(run())


@asynccontextmanager
async def held() -> AsyncGenerator[PostgresConnection]:
    """Hold one connection for all operations of the block."""
    async with Postgres.acquire_connection() as connection:
        with ctx.updated(connection):
            yield connection


def test_a_value_cached_before_a_commit_is_not_served_after_it(dsn: str) -> None:
    async def body() -> None:
        await InstructionsRepository.define("greeting", content="old")
        defined, go = asyncio.Event(), asyncio.Event()

        async def release() -> None:
            async with held() as connection, connection.transaction():
                await InstructionsRepository.define("greeting", content="new")
                assert await InstructionsRepository.load(GREETING) == "new"
                defined.set()
                await go.wait()

        releasing = asyncio.create_task(release())
        await defined.wait()
        assert await InstructionsRepository.load(GREETING) == "old"
        go.set()
        await releasing
        assert await InstructionsRepository.load(GREETING) == "new"

    service(dsn, body)


def test_a_committed_value_is_served_while_the_connection_is_held(dsn: str) -> None:
    async def body() -> None:
        await InstructionsRepository.define("greeting", content="old")
        defined, cached, committed, go = (asyncio.Event() for _ in range(4))

        async def release() -> None:
            async with held() as connection:
                async with connection.transaction(), connection.transaction():
                    await InstructionsRepository.define("greeting", content="new")
                    defined.set()
                    await cached.wait()
                committed.set()
                await go.wait()

        releasing = asyncio.create_task(release())
        await defined.wait()
        assert await InstructionsRepository.load(GREETING) == "old"
        cached.set()
        await committed.wait()
        assert await InstructionsRepository.load(GREETING) == "new"
        go.set()
        await releasing

    service(dsn, body)


def test_a_rolled_back_value_is_never_served(dsn: str) -> None:
    async def body() -> None:
        await InstructionsRepository.define("greeting", content="old")
        with pytest.raises(ZeroDivisionError):
            async with held() as connection, connection.transaction():
                await InstructionsRepository.define("greeting", content="new")
                raise ZeroDivisionError
        assert await InstructionsRepository.load(GREETING) == "old"

    service(dsn, body)


def test_failed_commit_raises_error_of_haiway(dsn: str, sql: psycopg.Connection) -> None:
    sql.execute("CREATE TABLE t (n INT UNIQUE DEFERRABLE INITIALLY DEFERRED)")

    async def body() -> None:
        with pytest.raises(PostgresException, match="duplicate key"):
            async with held() as connection, connection.transaction():
                await connection.execute("INSERT INTO t VALUES (1), (1)")
        with pytest.raises(psycopg.OperationalError, match="of the caller"):
            async with held() as connection, connection.transaction():
                raise psycopg.OperationalError("of the caller")

    service(dsn, body)


def test_memory_joins_transaction_of_caller(dsn: str) -> None:
    async def body() -> None:
        memory = PostgresModelMemory("m")
        with pytest.raises(ZeroDivisionError):
            async with held() as connection, connection.transaction():
                await memory.remember(asked("q"), variables={"a": 1})
                assert texts((await memory.recall()).context) == ["q"]
                raise ZeroDivisionError
        assert (await memory.recall()).context == ()

    service(dsn, body)


def test_tasks_sharing_a_connection_are_serialized(dsn: str) -> None:
    async def body() -> None:
        async with held():
            await asyncio.gather(
                *(PostgresModelMemory(str(n)).remember(asked("q")) for n in range(8)),
                *(PostgresModelMemory(str(n)).recall() for n in range(8)),
            )

    service(dsn, body)
    with Client(dsn) as db:
        assert len(db.memories.identifiers()) == 8


def test_all_names_of_draive_can_be_imported() -> None:
    added = {"FolderConfigurations", "FolderPrompts"}
    assert {*adapters.__all__} == {*draive.postgres.__all__, *added}


class Fact(DataModel):
    text: str


def test_the_vector_index_of_draive_works(dsn: str, sql: psycopg.Connection) -> None:
    # Without the extension pgvector, which is needed only for similarity.
    sql.execute("CREATE DOMAIN vector AS FLOAT8[]")
    sql.execute(
        "CREATE TABLE fact (id UUID DEFAULT gen_random_uuid(), embedding VECTOR NOT NULL, "
        "payload JSONB NOT NULL, meta JSONB NOT NULL, created TIMESTAMPTZ NOT NULL)"
    )

    async def embed(
        values: Sequence[str], attribute: object = None, **extra: Any
    ) -> Sequence[Embedded[str]]:
        return [Embedded(value=value, vector=[1.5, 2.5]) for value in values]

    async def body() -> None:
        with ctx.updated(adapters.PostgresVectorIndex(), TextEmbedding(embedding=embed)):
            facts = [Fact(text="a"), Fact(text="b")]
            await VectorIndex.index(Fact, values=facts, attribute=lambda fact: fact.text)
            assert await VectorIndex.search(Fact) == tuple(reversed(facts))
            await VectorIndex.delete(Fact)
            assert await VectorIndex.search(Fact) == ()

    service(dsn, body)


def test_a_database_of_version_0_1_0_works_before_and_after_its_upgrade(empty_dsn: str) -> None:
    run_sql(empty_dsn, DUMP.read_text(encoding="utf-8"))

    async def body() -> None:
        with ctx.updated(PostgresConfigurationRepository()):
            assert await ConfigurationRepository.load_raw("limits") == {"tokens": 2, "ratio": 1.0}
            await ConfigurationRepository.define("limits", {"tokens": 2, "ratio": 1.0})
        assert await InstructionsRepository.load(GREETING) == content
        await InstructionsRepository.define("greeting", content=content)
        assert len((await PostgresModelMemory("m").recall()).context) == 1

    async def labelled() -> None:
        with ctx.updated(PostgresInstructionsRepository(label="production")):
            assert await InstructionsRepository.load(GREETING) == production

    with Client(empty_dsn) as db:
        content = db.instructions.load("greeting")
        production = db.instructions.load("greeting", label="production")
        assert content != production
        service(empty_dsn, body)
        service(empty_dsn, labelled)
        assert db.setup()
        service(empty_dsn, body)
        service(empty_dsn, labelled)
        assert len(db.configurations.history("limits")) == 4
        assert len(db.instructions.history("greeting")) == 4


@pytest.mark.parametrize("make", [psycopg_pool, asyncpg_pool])
def test_a_service_serves_labelled_configurations(dsn: str, make: Callable[[str], Pool]) -> None:
    with Client(dsn) as db:
        for tokens in (1, 2):
            db.configurations.define("limits", {"tokens": tokens})
        db.configurations.define("unlabelled", {})
        db.configurations.label("limits", "production", 1)
        db.configurations.label("limits", "staging", 2)

    async def serve() -> None:
        repository = PostgresConfigurationRepository(label="production")
        async with ctx.scope("service", repository, disposables=(make(dsn),)):
            load = ConfigurationRepository.load_raw
            assert await load("limits") == {"tokens": 1}
            assert await load("limits", label="staging") == {"tokens": 2}
            assert await load("limits", revision=2) == {"tokens": 2}
            assert await load("unlabelled") is None
            await ConfigurationRepository.define("limits", {"tokens": 3})
            assert await load("limits") == {"tokens": 1}
            assert await load("limits", label="latest") == {"tokens": 3}

    asyncio.run(serve())


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_writers_are_serialized_at_any_isolation_level_of_the_role(dsn: str, level: str) -> None:
    async def body() -> None:
        await asyncio.gather(
            *(PostgresModelMemory("m").remember(asked(str(n)), asked(str(n))) for n in range(20)),
            *(InstructionsRepository.define("greeting", content=str(n)) for n in range(20)),
        )
        written = texts((await PostgresModelMemory("m").recall()).context)
        assert written[::2] == written[1::2]
        async with held() as connection:
            await PostgresModelMemory("m").remember(asked("held"))
            async with connection.transaction():  # with the isolation level of the caller
                row = await connection.fetch_one("SHOW transaction_isolation")
                assert row is not None
                assert row.get_str("transaction_isolation") == level
                await PostgresModelMemory("m").remember(asked("joined"))

    preferring = level.replace(" ", "\\\\ ")
    service(f"{dsn} options='-c default_transaction_isolation={preferring}'", body)
    with Client(dsn) as db:
        assert len(db.memory("m").log()) == 42
        assert len(db.frames.instruction_revisions("greeting")) == 20


def test_scopes_with_other_pools_do_not_share_cached_values(
    dsn: str, empty_dsn: str, sql: psycopg.Connection
) -> None:
    with Client(empty_dsn) as other:
        other.setup()
        other.instructions.define("greeting", content="of the other")
        other.configurations.define("limits", {"of": "the other"})
    repositories = (PostgresInstructionsRepository(), PostgresConfigurationRepository())

    async def served(pool: Pool) -> tuple[object, ...]:
        async with ctx.scope("service", *repositories, disposables=(pool,)):
            return (
                await InstructionsRepository.resolve(GREETING, default="none"),
                await ConfigurationRepository.load_raw("limits"),
                len(await InstructionsRepository.available_instructions()),
            )

    pool = PostgresConnectionPool.of(dsn)
    assert asyncio.run(served(pool)) == ("none", None, 0)
    for make in (psycopg_pool, asyncpg_pool):
        assert asyncio.run(served(make(empty_dsn))) == ("of the other", {"of": "the other"}, 1)
    sql.execute("INSERT INTO configurations VALUES ('limits', '{}')")
    assert asyncio.run(served(pool)) == ("none", None, 0)  # entered again


def test_errors_are_those_of_haiway_with_a_reason(dsn: str) -> None:
    async def body() -> None:
        with pytest.raises(PostgresException, match=r'relation "nosuch" does not exist \(42P01\)'):
            await Postgres.fetch("SELECT * FROM nosuch")
        with pytest.raises(ValueError, match="limit must be a positive int"):
            await PostgresModelMemory("m").recall(limit=0)

    service(dsn, body)


def test_rows_have_the_value_types_of_haiway(dsn: str) -> None:
    async def body() -> None:
        row = await Postgres.fetch_one(
            "SELECT 1 AS i, 'x' AS t, '{\"a\": 1}'::JSONB AS j, NULL AS n"
        )
        assert row is not None
        assert (row.get_int("i"), row.get_str("t"), row["j"], row["n"]) == (
            1,
            "x",
            '{"a": 1}',
            None,
        )
        assert dict(row) == {"i": 1, "t": "x", "j": '{"a": 1}', "n": None}
        assert await Postgres.fetch_one("SELECT 1 WHERE FALSE") is None

    service(dsn, body)


def test_an_unreachable_server_is_an_error_when_the_scope_is_entered() -> None:
    async def enter() -> None:
        pool = PostgresConnectionPool.of("postgresql://u:secret@127.0.0.1:1/db")
        async with ctx.scope("service", disposables=(pool,)):
            pass

    with pytest.raises(BaseException) as caught:  # noqa: PT011 - haiway may group it
        asyncio.run(enter())
    errors = getattr(caught.value, "exceptions", [caught.value])
    assert isinstance(errors[0], ConnectionFailed)
    assert "secret" not in str(errors[0])


def test_connections_are_closed_if_the_exit_of_a_scope_is_cancelled(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(_: object) -> None:
        raise asyncio.CancelledError

    async def leave() -> None:
        pool = PostgresConnectionPool.of(dsn)
        await pool.__aenter__()
        async with pool.acquire_connection() as connection:
            await connection.execute("SELECT 1")
        assert len(session_pids(dsn)) == 1
        monkeypatch.setattr("draive_pg.adapters.pool.stop_listening", cancelled)
        with pytest.raises(asyncio.CancelledError):
            await pool.__aexit__(None, None, None)
        wait_until(lambda: not session_pids(dsn))

    asyncio.run(leave())


def test_a_dsn_can_have_the_parameters_of_haiway() -> None:
    pool = PostgresConnectionPool.of(
        "postgresql://me:pass@/db?connection_limit=7&ssl=disable&application_name=a%20b"
    )
    assert (
        repr(pool) == "PostgresConnectionPool(host=localhost port=5432 dbname=db user=me, limit=7)"
    )
    assert "pass" not in repr(PostgresConnectionPool(password="pass"))
    with pytest.raises(ValueError, match="DSN is neither"):
        PostgresConnectionPool.of("postgresql://me:secret@host/db?nosuch=1")


def test_service_warns_once_of_a_label_that_no_revision_has(
    dsn: str, in_scope: InScope, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(dsn) as db:
        db.release(
            prompts={"greeting": "Hello"},
            configurations={"limits": {"tokens": 1}},
            labels={"production": ["greeting"]},
            configuration_labels={"production": ["limits"]},
        )

    async def body() -> None:
        for _ in range(2):
            with pytest.raises(InstructionsMissing):
                await InstructionsRepository.load(Instructions.of("greeting"))
            await InstructionsRepository.resolve(Instructions.of("none"), default="x")
            assert await ConfigurationRepository.load_raw("limits") is None

    in_scope(
        body(),
        PostgresInstructionsRepository(label="produciton"),
        PostgresConfigurationRepository(label="produciton"),
    )
    messages = [each.getMessage() for each in caplog.records if each.name == "draive_pg"]
    assert len(messages) == 2
    for message, name in zip(messages, ("greeting", "limits"), strict=True):
        assert f"'{name}'" in message
        assert "'produciton'" in message
        assert "production" in message.replace("produciton", "")
