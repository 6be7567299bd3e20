"""Prompts and configurations while the server is stopped or cannot be reached."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from draive import (
    Configuration,
    ConfigurationInvalid,
    ConfigurationRepository,
    Instructions,
    InstructionsRepository,
    ctx,
)

from draive_pg import Client, ConnectionFailed
from draive_pg.adapters import (
    PostgresConfigurationRepository,
    PostgresException,
    PostgresInstructionsRepository,
)
from draive_pg.models.admin import OperationEvent
from tests.conftest import Connect
from tests.draive_scope import Pool, asyncpg_pool, psycopg_pool
from tests.fault_server import FaultServer, fault_server

GREETING = Instructions.of("greeting")
SHORT = 0.02  # seconds until a value expires


class Limits(Configuration):
    tokens: int = 1


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with fault_server() as server:
        yield server


@contextmanager
def stopped(server: FaultServer) -> Generator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


def fill(dsn: str) -> None:
    with Client(dsn) as db:
        db.instructions.define("greeting", content="Hello")
        db.instructions.define("greeting", content="Hi")
        db.instructions.label("greeting", "production", 1)
        db.configurations.define(Limits(tokens=5))


@pytest.mark.parametrize("live", [False, True])
def test_client_serves_expired_values_while_the_server_is_stopped(
    server: FaultServer, connect: Connect, caplog: pytest.LogCaptureFixture, *, live: bool
) -> None:
    dsn, events = server.database(), list[OperationEvent]()
    fill(dsn)
    db = connect(dsn, cache_expiration=SHORT, live=live, on_operation=events.append)

    def served() -> tuple[object, ...]:
        return (
            db.instructions.load("greeting"),
            db.instructions.resolve("greeting", label="production"),
            db.configurations.load(Limits),
            db.configurations.load_raw("Limits"),
        )

    before = served()
    assert before == ("Hi", "Hello", Limits(tokens=5), {"tokens": 5})
    with stopped(server):
        asyncio.run(asyncio.sleep(2 * SHORT))
        events.clear()
        assert served() == served() == before
        assert [event.stale for event in events if event.cached] == [True] * 8
        with pytest.raises(ConnectionFailed):
            db.instructions.load("greeting", label="staging")
        with pytest.raises(ConnectionFailed):
            db.configurations.define(Limits(tokens=9))
        assert served() == before
    warned = [each.message for each in caplog.records if each.message.startswith("serving")]
    assert len(warned) == 4
    assert "'greeting'" in warned[0]


def test_client_without_stale_values_fails(server: FaultServer, connect: Connect) -> None:
    dsn = server.database()
    fill(dsn)
    db = connect(dsn, cache_expiration=SHORT, stale_if_error=0)
    assert db.instructions.load("greeting") == "Hi"
    with stopped(server):
        asyncio.run(asyncio.sleep(2 * SHORT))
        with pytest.raises(ConnectionFailed):
            db.instructions.load("greeting")


@pytest.mark.parametrize("pool", [psycopg_pool, asyncpg_pool])
def test_service_serves_expired_values_while_the_server_is_stopped(
    server: FaultServer, pool: Callable[[str], Pool]
) -> None:
    dsn = server.database()
    fill(dsn)
    repositories = (
        PostgresInstructionsRepository(cache_expiration=SHORT, label="production"),
        PostgresConfigurationRepository(cache_expiration=SHORT),
    )

    async def serve() -> None:
        async with ctx.scope("service", *repositories, disposables=(pool(dsn),)):

            async def served() -> tuple[object, ...]:
                return (
                    await InstructionsRepository.resolve(GREETING),
                    await Limits.load(default=Limits(tokens=9)),
                    await ConfigurationRepository.load_raw("Limits"),
                )

            before = await served()
            assert before == ("Hello", Limits(tokens=5), {"tokens": 5})
            with stopped(server):
                await asyncio.sleep(2 * SHORT)
                assert await served() == await served() == before
                with pytest.raises(ConfigurationInvalid, match=r"Other.*"):
                    await Limits.load("Other", default=Limits(tokens=9))
                with pytest.raises((ConnectionFailed, OSError)):
                    await InstructionsRepository.resolve(Instructions.of("other"), default="x")

    asyncio.run(serve())


@pytest.mark.parametrize("pool", [psycopg_pool, asyncpg_pool])
def test_service_serves_expired_values_after_its_sessions_were_terminated(
    dsn: str, sql: psycopg.Connection, pool: Callable[[str], Pool]
) -> None:
    fill(dsn)

    async def serve() -> None:
        repository = PostgresInstructionsRepository(cache_expiration=SHORT)
        async with ctx.scope("service", repository, disposables=(pool(dsn),)):
            assert await InstructionsRepository.load(GREETING) == "Hi"
            for _ in range(2):
                await asyncio.sleep(2 * SHORT)
                sql.execute(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                assert await InstructionsRepository.load(GREETING) == "Hi"

    asyncio.run(serve())


@pytest.mark.parametrize("pool", [psycopg_pool, asyncpg_pool])
def test_unreadable_configuration_is_not_replaced_by_defaults(
    dsn: str, sql: psycopg.Connection, pool: Callable[[str], Pool]
) -> None:
    sql.execute("ALTER TABLE configurations RENAME TO gone")

    async def serve() -> None:
        repository = PostgresConfigurationRepository()
        async with ctx.scope("service", repository, disposables=(pool(dsn),)):
            choices: list[dict[str, Any]] = [{}, {"default": Limits(tokens=9)}, {"required": True}]
            for options in choices:
                with pytest.raises(ConfigurationInvalid, match="Limits"):
                    await Limits.load(**options)
            raw = await ConfigurationRepository.load_raw("Limits")
            assert raw is not None
            for use in (dict, len, lambda raw: raw["tokens"]):
                with pytest.raises(PostgresException):
                    use(raw)

    asyncio.run(serve())
