"""Fixtures: one server per session, a clean database per test, sync and async clients."""

import asyncio
import os
import secrets
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor
from typer.main import get_command

from draive_pg import AsyncClient, Client
from draive_pg.cli import main
from draive_pg.embedded import Server
from draive_pg.lines.line import LINE_92
from tests.cli_runner import Result, Shell
from tests.cluster import distribute, join, make_template, nodes, run_on
from tests.databases import Databases
from tests.draive_scope import InScope, asyncpg_pool, psycopg_pool, run_in_scope
from tests.schema import set_up, set_up_partitioned
from tests.server import FAST, scratch_directory
from tests.sync_facade import SyncFacade

VARIABLE = "DRAIVE_PG_TEST_DSN"
DATABASE = f"draive_pg_{secrets.token_hex(4)}"  # runs and workers may share a server

# Few examples, and the same on every machine; `--hypothesis-profile=explore` looks for others.
settings.register_profile(
    "steady",
    deadline=None,
    max_examples=30,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "explore", settings.get_profile("steady"), derandomize=False, max_examples=300
)
settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    """Start the embedded server, unless the environment names one or tests are only collected.

    Workers of pytest-xdist inherit the environment, and so use the server of the main process.
    """
    for variable in ("DRAIVE_PG_DSN", "DRAIVE_PG_SCHEMA"):
        os.environ.pop(variable, None)  # tests must not use the developer's database
    os.environ.pop("PYTHONUNBUFFERED", None)  # stdout is buffered, as by default
    # Background jobs ignore SIGINT, nohup ignores SIGHUP, and child processes inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if config.option.collectonly:
        return
    if VARIABLE not in os.environ:
        _start_server(config)
    try:
        psycopg.connect(os.environ[VARIABLE], connect_timeout=10).close()
    except psycopg.Error as error:
        pytest.exit(f"cannot connect to ${VARIABLE}: {error}", returncode=3)


def _start_server(config: pytest.Config) -> None:
    top = scratch_directory()
    server = Server(top / "data", settings=FAST).start()
    os.environ[VARIABLE] = server.uri()

    def stop() -> None:
        del os.environ[VARIABLE]
        server.stop(force=True)
        shutil.rmtree(top, ignore_errors=True)

    config.add_cleanup(stop)


@pytest.fixture(autouse=True)
def interrupt_handler() -> Iterator[None]:
    """Restore the handler of SIGINT: `asyncio.Runner` leaves its own if interrupted at its end.

    Later runners would then leave their tasks unfinished when they are interrupted.
    """
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Endpoint:
    """The server, as pytest-postgresql expects it."""

    host: str
    port: int
    user: str
    password: str | None
    maintenance_dbname: str
    options: str = ""
    dbname: str = "postgres"
    template_dbname: str | None = None


@pytest.fixture(scope="session")
def endpoint() -> Endpoint:
    given = {key: str(value) for key, value in conninfo_to_dict(os.environ[VARIABLE]).items()}
    return Endpoint(
        host=given.get("host", "localhost"),
        port=int(given.get("port", 5432)),
        user=given.get("user", "postgres"),
        password=given.get("password"),
        maintenance_dbname=given.get("dbname", "postgres"),
    )


def make_tables(**connection: str | int | None) -> None:
    connection.pop("autocommit", None)
    dsn, servers = make_conninfo("", **connection), nodes(os.environ[VARIABLE])
    if len(servers) > 1:
        join(servers, f"{connection['dbname']}")
    with Client(dsn) as db:
        db.setup()
    if len(servers) > 1:
        distribute(dsn)
        make_template(servers, f"{connection['dbname']}")


with_tables = factories.postgresql_noproc(
    depends_on="endpoint", dbname=DATABASE, load=[make_tables]
)
without_tables = factories.postgresql_noproc(depends_on="endpoint", dbname=f"{DATABASE}_empty")
empty_database = factories.postgresql("without_tables")


def dsn_of(connection: psycopg.Connection) -> str:
    info = connection.info
    return make_conninfo(
        "",
        host=info.host,
        port=info.port,
        user=info.user,
        password=info.password or None,
        dbname=info.dbname,
    )


@pytest.fixture(scope="session")
def databases(with_tables: NoopExecutor) -> Iterator[Databases]:
    databases = Databases(nodes(os.environ[VARIABLE]), f"{with_tables.template_dbname}")
    yield databases
    databases.drop()


@pytest.fixture
def dsn(databases: Databases) -> str:
    """A database with all tables and no rows."""
    return databases.provide()


@contextmanager
def provided(
    servers: list[str], template: str, origin: str, prepare: Callable[[str], object]
) -> Generator[Databases]:
    """Provide databases like a copy of another one that has been prepared once."""
    run_on(servers, "CREATE DATABASE {} TEMPLATE {}", template, origin)
    prepare(make_conninfo(servers[0], dbname=template))
    if len(servers) > 1:
        make_template(servers, template)
    databases = Databases(servers, template)
    yield databases
    databases.drop()
    run_on(servers, "DROP DATABASE {} WITH (FORCE)", template)


@pytest.fixture(scope="session")
def databases_with_templates(with_tables: NoopExecutor) -> Iterator[Databases]:
    servers, origin = nodes(os.environ[VARIABLE]), f"{with_tables.template_dbname}"
    with provided(
        servers, f"{origin}_templates", origin, lambda dsn: set_up(dsn, LINE_92)
    ) as databases:
        yield databases


@pytest.fixture(scope="session")
def databases_with_partitions(without_tables: NoopExecutor) -> Iterator[Databases]:
    servers, origin = [os.environ[VARIABLE]], f"{without_tables.template_dbname}"
    with provided(servers, f"{origin}_partitioned", origin, set_up_partitioned) as databases:
        yield databases


@pytest.fixture
def templates_dsn(databases_with_templates: Databases) -> str:
    """A database with all tables, those of templates included, and no rows."""
    return databases_with_templates.provide()


@pytest.fixture
def empty_dsn(empty_database: psycopg.Connection) -> str:
    """A fresh database without tables."""
    return dsn_of(empty_database)


@pytest.fixture
def partitioned_dsn(databases_with_partitions: Databases) -> str:
    """A database with all tables, hash-partitioned, and no rows."""
    return databases_with_partitions.provide()


@pytest.fixture
def one_server(dsn: str) -> None:
    """Skip a test of what a Citus cluster does not have: see "What differs" in docs/scale.md."""
    if len(nodes(dsn)) > 1:
        pytest.skip("not possible on distributed tables")


@pytest.fixture
def server_roles(
    endpoint: Endpoint, databases: Databases, databases_with_templates: Databases
) -> Iterator[None]:
    """Let one test at a time create roles named ``dpg_...``, since databases share roles.

    Set up before the database of the test, so that the roles own nothing when they are dropped.
    """
    with psycopg.connect(os.environ[VARIABLE], autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('draive_pg_test_roles'))")
        yield
        databases.drop()
        databases_with_templates.drop()
        names = "SELECT rolname FROM pg_roles WHERE rolname ~ '^dpg_(test|roles)_'"
        for (role,) in connection.execute(names).fetchall():
            connection.execute(SQL("DROP ROLE {}").format(Identifier(role)))


@pytest.fixture
def sql(dsn: str) -> Iterator[psycopg.Connection]:
    """A psycopg connection to the database of `dsn`."""
    with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        yield connection


type Connect = Callable[..., Client]


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Create sync or async clients, both with the interface of `Client`; all are closed."""
    made: list[Client] = []
    with asyncio.Runner() as runner:

        def connect(dsn: str, **options: Any) -> Client:
            if request.param == "sync":
                db = Client(dsn, **options)
            else:
                db = cast(Client, SyncFacade(AsyncClient(dsn, **options), runner))
            made.append(db)
            return db

        yield connect
        for db in made:
            db.close()


@pytest.fixture
def db(connect: Connect, dsn: str) -> Client:
    """A sync or async client of a clean database."""
    return connect(dsn)


get_command_once = cache(get_command)  # otherwise each run would build all commands


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run a command in this process, and return its exit code and output."""
    # A command without a DSN must not start a server in the developer's home directory.
    monkeypatch.setenv("PGBINDIR", "/nonexistent")
    monkeypatch.setattr("typer.main.get_command", get_command_once)

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["draive-pg", *map(str, arguments)])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # restored at teardown
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = capsys.readouterr()
        return Result(int(exit_.value.code or 0), out, err)

    return run


@pytest.fixture(params=[psycopg_pool, asyncpg_pool])
def in_scope(request: pytest.FixtureRequest, dsn: str) -> InScope:
    """Run a coroutine in a draive scope with the given states, with each pool."""
    return lambda body, *states: run_in_scope(request.param(dsn), body, *states)
