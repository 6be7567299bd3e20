"""Fault injection: servers to crash, terminated sessions, locks, and row counts."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from draive_pg import AsyncClient, Client, DraivePGError
from draive_pg.embedded import Server, binaries
from draive_pg.embedded.ownership import Owner
from draive_pg.errors import EmbeddedServerError
from tests.elements import answered, asked
from tests.server import FAST, accepts_connections, scratch_directory, wait_until

# Upper bound of any wait, also on a busy machine.
SECONDS = 30.0

REMEMBER = "remember in memory 'm'"
NO_ROWS = (0, 0, 0)
ALL_ROWS = (1, 1, 2)  # after `write`


def write(db: Client) -> object:
    """Write two elements and a snapshot of variables in one call."""
    return db.memory("m").remember(asked("q"), answered("a"), variables={"n": 1})


def row_counts(dsn: str) -> tuple[int, int, int]:
    """Count memories, snapshots of variables and elements by SQL."""
    with psycopg.connect(dsn) as connection:
        ((memories, variables, elements),) = connection.execute(
            """
            SELECT
                (SELECT count(*) FROM memories),
                (SELECT count(*) FROM memories_variables),
                (SELECT count(*) FROM memories_elements)
            """
        ).fetchall()
    return memories, variables, elements


def assert_fails[E: DraivePGError](
    kind: type[E],
    call: Callable[[], object],
    *,
    operation: str,
    sqlstate: str | None = None,
    has_sqlstate: bool = True,
) -> E:
    """Return the error of a call: one line that names the operation, raised in bounded time.

    Without ``has_sqlstate`` the call may find only a closed connection, without an SQLSTATE.
    """
    started = time.monotonic()
    with pytest.raises(kind) as caught:
        call()
    assert time.monotonic() - started < SECONDS
    error = caught.value
    assert type(error) is kind
    assert str(error).startswith(f"{operation}: ")
    assert "\n" not in str(error)
    assert error.sqlstate == sqlstate or (error.sqlstate is None and not has_sqlstate)
    return error


@contextmanager
def limited(db: Client | AsyncClient, seconds: float) -> Generator[None]:
    """Limit the calls in the block, which fail; those around it may take their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db._database, "_timeout", seconds)
        yield


@contextmanager
def in_background(action: Callable[[], object]) -> Generator[None]:
    """Run a function in another thread while the block runs."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(action)
        yield
        done.result(SECONDS)


@contextmanager
def table_locked(dsn: str, table: str) -> Generator[Callable[[], None]]:
    """Lock a table until the block ends or calls the yielded function."""
    with psycopg.connect(dsn) as connection:
        connection.execute(f"LOCK TABLE {table}".encode())
        yield connection.rollback


def session_pids(dsn: str) -> list[int]:
    """Return the backend PIDs of the clients of a database."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'draive_pg'"
        ).fetchall()
    return [pid for (pid,) in rows]


def terminate_sessions(dsn: str, *, wait: bool = True) -> None:
    """Terminate the sessions of clients of a database, and wait until they have ended.

    ``wait=False`` is for calls inside a stream: a session that is blocked writing rows ends
    only when its client reads again. Whether it can still send its error depends on the rest.
    """
    ended = session_pids(dsn)
    assert ended
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM unnest(%s::INT[]) AS pid", (ended,)
        )
    if wait:
        wait_until(lambda: not set(ended) & set(session_pids(dsn)))


class FaultServer:
    """A dedicated server that tests can stop and crash."""

    def __init__(self, data: Path, **settings: str) -> None:
        self._settings = settings
        self._server = Server(data, settings={**FAST, **settings})
        self._numbers = count()
        self.start()

    @property
    def data(self) -> Path:
        return self._server.data

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def dsn(self, database: str = "postgres") -> str:
        return make_conninfo(self._server.uri(database))

    def database(self) -> str:
        """Create a database with all tables, and return its DSN."""
        number = next(self._numbers)
        if number == 0:
            self.execute("CREATE DATABASE tables")
            with Client(self.dsn("tables")) as db:
                db.setup()
        self.execute(f"CREATE DATABASE drill_{number} TEMPLATE tables")
        return self.dsn(f"drill_{number}")

    def execute(self, *statements: str, database: str = "postgres") -> None:
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        """Stop the server in fast mode: sessions are terminated and data is flushed."""
        self._server.stop(force=True)

    def crash(self, how: signal.Signals) -> None:
        """Crash the server: the next start runs recovery."""
        pid = self.pid
        os.kill(pid, how)
        wait_until(lambda: not accepts_connections(self.dsn()))

    def standby(self, data: Path) -> "FaultServer":
        """Return a hot standby of this server."""
        owner = Owner.of(self.data)
        program = binaries.within_reach(binaries.find(), owner) / "pg_basebackup"
        if not program.exists():
            pytest.skip("there is no pg_basebackup")
        data.mkdir(mode=0o700)
        owner.give(data)
        command = (program, "-R", "--checkpoint=fast", "-d", self.dsn(), "-D", data)
        done = owner.run(command)
        assert done.returncode == 0, done.stderr
        return FaultServer(data, **self._settings, wal_retrieve_retry_interval="100ms")


@contextmanager
def fault_server(**settings: str) -> Generator[FaultServer]:
    """Run a server until the block ends; skip the test without PostgreSQL binaries."""
    try:
        binaries.find()
    except EmbeddedServerError as error:
        pytest.skip(str(error))
    top = scratch_directory()
    server = FaultServer(top / "data", **settings)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(top, ignore_errors=True)
