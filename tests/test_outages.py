"""Prompts and configurations while the server is stopped or cannot be reached."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from draive import (
    Configuration,
    ConfigurationInvalid,
    ConfigurationRepository,
    Instructions,
    InstructionsMissing,
    InstructionsRepository,
    ctx,
)

from draive_pg import Client, ConnectionFailed, FileInvalid
from draive_pg.adapters import (
    FolderConfigurations,
    FolderPrompts,
    PostgresConfigurationRepository,
    PostgresConnectionPool,
    PostgresException,
    PostgresInstructionsRepository,
    PostgresModelMemory,
)
from draive_pg.models.admin import OperationEvent
from tests.conftest import Connect
from tests.draive_scope import Pool, asyncpg_pool, psycopg_pool
from tests.elements import asked
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


def fill(dsn: str, **options: Any) -> None:
    with Client(dsn, **options) as db:
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
    assert len(warned) == 3  # typed and raw loads share a value
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


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A folder of prompts and one of configurations."""
    for name, content in {
        "prompts/greeting.md": '+++\nlabels = ["production"]\n+++\nHello from the folder\n',
        "prompts/other.md": "Other {name}\n",
        "configurations/Limits.json": '{"tokens": 7}\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return tmp_path


async def serve_folders() -> None:
    other = Instructions.of("other")
    assert await InstructionsRepository.load(GREETING) == "Hello from the folder"
    assert await InstructionsRepository.resolve(other, arguments={"name": "Ada"}) == "Other Ada"
    assert await InstructionsRepository.load(GREETING, label="production")
    assert await Limits.load() == Limits(tokens=7)


def test_folders_are_repositories_without_a_database(folders: Path) -> None:
    async def serve() -> None:
        prompts = FolderPrompts(folders / "prompts")
        configurations = FolderConfigurations(str(folders / "configurations"))
        async with ctx.scope("test", prompts, configurations):
            await serve_folders()
            names = [each.name for each in await InstructionsRepository.available_instructions()]
            assert names == ["greeting", "other"]
            assert await ConfigurationRepository.configurations() == ("Limits",)
            for selected in ({"label": "staging"}, {"revision": 1}):
                with pytest.raises(InstructionsMissing):
                    await InstructionsRepository.load(GREETING, **selected)
            with pytest.raises(TypeError, match="read-only"):
                await InstructionsRepository.define("greeting", content="x")
            with pytest.raises(TypeError, match="read-only"):
                await ConfigurationRepository.remove("Limits")

    asyncio.run(serve())
    for make in (FolderPrompts, FolderConfigurations):
        with pytest.raises(FileInvalid, match="is not a folder"):
            make(folders / "missing")


@pytest.mark.parametrize("live", [False, True])
def test_service_starts_without_a_server_and_serves_its_fallback(
    server: FaultServer, folders: Path, caplog: pytest.LogCaptureFixture, *, live: bool
) -> None:
    dsn = server.database()
    fill(dsn)
    repositories = (
        PostgresInstructionsRepository(
            label="production", fallback=FolderPrompts(folders / "prompts")
        ),
        PostgresConfigurationRepository(fallback=FolderConfigurations(folders / "configurations")),
    )

    async def serve() -> None:
        pool = PostgresConnectionPool.of(dsn, live=live, start_offline=True)
        server.stop()
        try:
            scope = ctx.scope("service", *repositories, disposables=(pool,))
            await scope.__aenter__()
            for _ in range(2):
                await serve_folders()
            with pytest.raises(ConnectionFailed):
                await InstructionsRepository.load(Instructions.of("unknown"))
            with pytest.raises(ConfigurationInvalid):
                await Limits.load("Unknown")
        finally:
            server.start()
        assert await InstructionsRepository.load(GREETING) == "Hello"
        assert await Limits.load() == Limits(tokens=5)
        with pytest.raises(InstructionsMissing):  # the server says so
            await InstructionsRepository.load(Instructions.of("other"))
        await scope.__aexit__(None, None, None)

    asyncio.run(serve())
    warned = [each.message for each in caplog.records if each.message.startswith("serving")]
    assert sorted(message.split()[1] for message in warned) == ["'Limits'", "'greeting'", "'other'"]
    assert any(each.message.startswith("starting although") for each in caplog.records)


def test_repositories_use_a_schema(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(**options: Any) -> None:
        repositories = (
            PostgresInstructionsRepository(**options),
            PostgresConfigurationRepository(**options),
        )
        pool = PostgresConnectionPool.of(dsn, live=True)
        async with ctx.scope("service", *repositories, disposables=(pool,)):
            assert await InstructionsRepository.load(GREETING) == "Hi"
            assert await Limits.load() == Limits(tokens=5)
            memory = PostgresModelMemory("m", **options)
            await memory.remember(asked("q"))
            assert len((await memory.recall()).context) == 1

    with Client(dsn, schema="team") as db:
        db.setup()
        fill(dsn, schema="team")
        asyncio.run(serve(schema="team"))
        monkeypatch.setenv("DRAIVE_PG_SCHEMA", "team")
        db.memory("m").remove()
        asyncio.run(serve())
        with Client(dsn) as by_default:
            assert by_default.instructions.load("greeting") == "Hi"
    with Client(dsn, schema="public") as public:
        assert public.instructions.list() == ()
        assert public.memories.identifiers() == ()
    monkeypatch.setenv("DRAIVE_PG_SCHEMA", "")
    with pytest.raises(ValueError, match="schema must have 1 to 63 bytes"):
        Client(dsn)
