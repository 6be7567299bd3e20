"""Injected faults: the error, the stored rows, and that the next call works."""

import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from draive_pg import Client, ConnectionFailed, OperationFailed, StoredDataSkipped, TimedOut
from tests.conftest import Connect
from tests.elements import answered, asked, texts
from tests.every_call import READS, WRITES, fill
from tests.fault_server import (
    ALL_ROWS,
    NO_ROWS,
    REMEMBER,
    FaultServer,
    assert_fails,
    fault_server,
    in_background,
    limited,
    row_counts,
    session_pids,
    table_locked,
    terminate_sessions,
    write,
)
from tests.recording_proxy import recording
from tests.server import (
    accepts_connections,
    process_exists,
    scratch_directory,
    wait_for_lock_waiters,
    wait_until,
)
from tests.sync_facade import run_concurrently


@pytest.fixture(scope="module")
def own() -> Iterator[FaultServer]:
    """A server for fault injection, with a low max_connections."""
    with fault_server(max_connections="40", synchronous_commit="on") as own:
        yield own


@pytest.fixture
def own_dsn(own: FaultServer) -> Iterator[str]:
    """A clean database on `own`, which runs again afterwards."""
    yield own.database()
    own.start()


def terminate_when_waiting(dsn: str, *, times: int = 1) -> None:
    """Terminate the sessions of the client when they wait for a lock, ``times`` times."""
    for _ in range(times):
        wait_for_lock_waiters(dsn, at_least=1)
        terminate_sessions(dsn)


# --- Terminated sessions


def test_terminated_idle_session_is_replaced_transparently(connect: Connect, dsn: str) -> None:
    db = connect(dsn, cache_limit=0)
    fill(db)
    for call in (*READS.values(), *WRITES.values()):
        terminate_sessions(dsn)
        call(db)
    assert db.memories.identifiers() == ("chat", "n")


@pytest.mark.parametrize(
    ("table", "call"),
    [
        ("memories", lambda db: db.memories.identifiers()),
        ("memories_elements", lambda db: db.memory("m").recall().context),
        ("memories_elements", lambda db: db.frames.conversation_log().position),
        ("instructions", lambda db: db.instructions.available_instructions()),
        ("configurations", lambda db: [db.configurations.load_raw("limits")]),
    ],
    ids=["listing", "recall", "frame", "prompts", "configuration"],
)
def test_read_is_retried_after_session_is_terminated(
    db: Client, dsn: str, table: str, call: Callable[[Client], Any]
) -> None:
    fill(db)

    def terminate_once() -> None:
        terminate_when_waiting(dsn)
        release()

    with table_locked(dsn, table) as release, in_background(terminate_once):
        assert len(call(db)) == 1


def test_read_fails_after_session_is_terminated_twice(db: Client, dsn: str) -> None:
    with table_locked(dsn, "memories"), in_background(lambda: terminate_when_waiting(dsn, times=2)):
        assert_fails(
            ConnectionFailed, db.memories.identifiers, operation="list memories", sqlstate="57P01"
        )
    assert db.memories.identifiers() == ()


def test_write_terminated_before_commit_is_retried_once(db: Client, dsn: str) -> None:
    def terminate_once() -> None:
        terminate_when_waiting(dsn)
        release()

    with table_locked(dsn, "memories_elements") as release, in_background(terminate_once):
        write(db)
    assert row_counts(dsn) == ALL_ROWS


def test_write_fails_after_session_is_terminated_twice(db: Client, dsn: str) -> None:
    with (
        table_locked(dsn, "memories_elements"),
        in_background(lambda: terminate_when_waiting(dsn, times=2)),
    ):
        assert_fails(ConnectionFailed, lambda: write(db), operation=REMEMBER, sqlstate="57P01")
    assert row_counts(dsn) == NO_ROWS
    write(db)
    assert row_counts(dsn) == ALL_ROWS


def test_write_terminated_after_commit_is_not_retried(connect: Connect, dsn: str) -> None:
    with recording(dsn) as wire:
        db = connect(wire.dsn)
        db.memories.identifiers()
        wire.lost = "S"  # the server commits, and waits for more

        def terminate_when_committed() -> None:
            wait_until(lambda: row_counts(dsn) != NO_ROWS)
            wire.lost = ""
            terminate_sessions(dsn)

        with in_background(terminate_when_committed):
            write(db)  # the result of COMMIT arrives before the end of the session
        assert row_counts(dsn) == ALL_ROWS
        assert db.memories.identifiers() == ("m",)


def test_commit_with_unknown_outcome_is_not_retried(
    connect: Connect, own: FaultServer, own_dsn: str
) -> None:
    own.execute("ALTER SYSTEM SET synchronous_standby_names = 'nosuch'")
    own.stop()  # a reload would take effect some time later
    own.start()
    db = connect(own_dsn)
    db.memories.identifiers()

    def terminate_when_committed() -> None:
        with psycopg.connect(own_dsn, autocommit=True) as connection:
            wait_until(
                lambda: bool(
                    connection.execute(
                        "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
                    ).fetchall()
                )
            )
        terminate_sessions(own_dsn)

    try:
        with in_background(terminate_when_committed):
            error = assert_fails(ConnectionFailed, lambda: write(db), operation=REMEMBER)
        assert row_counts(own_dsn) == ALL_ROWS
    finally:
        own.execute("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
    assert error.__cause__ is not None
    assert db.memories.identifiers() == ("m",)


# --- Sessions terminated in a transaction


def test_transaction_terminated_between_calls_is_rolled_back(db: Client, dsn: str) -> None:
    def block() -> None:
        with db.transaction():
            write(db)
            terminate_sessions(dsn)
            write(db)

    assert_fails(ConnectionFailed, block, operation=REMEMBER, sqlstate="57P01", has_sqlstate=False)
    assert row_counts(dsn) == NO_ROWS
    write(db)
    assert row_counts(dsn) == ALL_ROWS


def test_transaction_terminated_during_call_is_rolled_back(db: Client, dsn: str) -> None:
    def block() -> None:
        with table_locked(dsn, "configurations"), db.transaction():
            write(db)
            with in_background(lambda: terminate_when_waiting(dsn)):
                db.configurations.load_raw("limits")

    assert_fails(ConnectionFailed, block, operation="load configuration 'limits'", sqlstate="57P01")
    assert row_counts(dsn) == NO_ROWS
    write(db)


def test_commit_of_terminated_transaction_fails(db: Client, dsn: str) -> None:
    def block() -> None:
        with db.transaction():
            write(db)
            terminate_sessions(dsn)

    assert_fails(ConnectionFailed, block, operation="commit a transaction", sqlstate="57P01")
    assert row_counts(dsn) == NO_ROWS


def test_caught_connection_error_still_fails_transaction(db: Client, dsn: str) -> None:
    def block() -> None:
        with db.transaction():
            terminate_sessions(dsn)
            with pytest.raises(ConnectionFailed):
                write(db)
            with pytest.raises(ConnectionFailed):  # not on another connection, either
                write(db)

    with pytest.raises(ConnectionFailed, match="commit a transaction"):
        block()
    assert row_counts(dsn) == NO_ROWS


# --- Server outages


@contextmanager
def restarted(own: FaultServer) -> Generator[None]:
    own.stop()
    yield
    own.start()


@contextmanager
def quit_immediately(own: FaultServer) -> Generator[None]:
    own.crash(signal.SIGQUIT)
    yield
    own.start()


@contextmanager
def killed(own: FaultServer) -> Generator[None]:
    own.crash(signal.SIGKILL)
    yield
    own.start()


type Outage = Callable[[FaultServer], AbstractContextManager[None]]

OUTAGES = [restarted, quit_immediately, killed]


def test_stopped_server_raises_connection_failed_until_restart(
    connect: Connect, own: FaultServer, own_dsn: str
) -> None:
    db = connect(own_dsn)
    db.memories.identifiers()
    with restarted(own):
        error = assert_fails(ConnectionFailed, lambda: write(db), operation="connect")
        assert str(error).endswith("the server is running and accepts your connection")
    write(db)
    assert row_counts(own_dsn) == ALL_ROWS


@pytest.mark.parametrize("outage", OUTAGES)
def test_pool_of_idle_connections_recovers_after_outage(
    connect: Connect,
    own: FaultServer,
    own_dsn: str,
    outage: Callable[[FaultServer], AbstractContextManager[None]],
) -> None:
    db = connect(own_dsn)
    four = [[lambda db: db.memories.identifiers()]] * 4
    run_concurrently(db, *four)
    with outage(own):
        pass
    assert run_concurrently(db, *four) == [[()]] * 4
    write(db)
    assert row_counts(own_dsn) == ALL_ROWS


@pytest.mark.parametrize("outage", OUTAGES)
def test_first_write_after_outage_succeeds(
    connect: Connect,
    own: FaultServer,
    own_dsn: str,
    outage: Callable[[FaultServer], AbstractContextManager[None]],
) -> None:
    db = connect(own_dsn)
    db.memories.identifiers()
    with outage(own):
        pass
    write(db)
    assert row_counts(own_dsn) == ALL_ROWS


@pytest.mark.parametrize("outage", OUTAGES)
def test_transaction_fails_after_outage(
    connect: Connect,
    own: FaultServer,
    own_dsn: str,
    outage: Callable[[FaultServer], AbstractContextManager[None]],
) -> None:
    db = connect(own_dsn)

    def block() -> None:
        with db.transaction():
            write(db)
            with outage(own):
                pass
            write(db)

    with pytest.raises(ConnectionFailed, match=REMEMBER):
        block()
    assert row_counts(own_dsn) == NO_ROWS
    write(db)
    assert row_counts(own_dsn) == ALL_ROWS


def test_killed_embedded_server_is_restarted(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, own: FaultServer
) -> None:
    home = scratch_directory()
    monkeypatch.setenv("DRAIVE_PG_HOME", str(home))
    try:
        with connect(None) as db:
            db.setup()
            write(db)
            (pid_file,) = home.glob("*/postmaster.pid")
            killed = pid_file.read_text().split()[0]
            os.kill(int(killed), signal.SIGKILL)

            def back() -> bool:  # sessions of the old server may still exist
                with suppress(ConnectionFailed):
                    db.memories.identifiers()
                return pid_file.read_text().split()[0] != killed

            wait_until(back)
            assert texts(db.memory("m").recall().context) == ["q", "a"]
            db.memory("m").remember(asked("r"))
            assert len(db.memory("m").log()) == 3
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_killed_backend_ends_all_sessions_without_data_loss(
    connect: Connect, own: FaultServer, own_dsn: str
) -> None:
    db, other = connect(own_dsn), connect(own_dsn)
    other.configurations.define("limits", {"a": 1})

    def kill_it() -> None:
        wait_for_lock_waiters(own_dsn, at_least=1)
        blocked = [pid for pid in session_pids(own_dsn) if pid != idle]
        os.kill(blocked[0], signal.SIGKILL)

    (idle,) = session_pids(own_dsn)
    with pytest.raises(psycopg.OperationalError), table_locked(own_dsn, "memories_elements"):
        with in_background(kill_it):
            assert_fails(ConnectionFailed, lambda: write(db), operation=REMEMBER)
        raise psycopg.OperationalError  # the lock's own session is gone, too
    wait_until(lambda: not process_exists(idle))  # the server has noticed, and recovers
    wait_until(lambda: accepts_connections(own_dsn))
    assert row_counts(own_dsn) == NO_ROWS
    assert other.configurations.load_raw("limits") == {"a": 1}
    write(other)
    assert len(db.memory("m").log()) == 2


# --- Large writes, and exhausted resources of the server


def test_write_larger_than_socket_buffer_succeeds(db: Client, dsn: str) -> None:
    db.memory("m").remember(asked("much" * 4_000_000), answered("a"), variables={"n": 1})
    with db.transaction():
        db.memory("m").remember(asked("much" * 4_000_000))
    assert row_counts(dsn) == (1, 1, 3)


def test_too_many_connections_raises_and_recovers(
    connect: Connect, own: FaultServer, own_dsn: str
) -> None:
    own.execute(
        "DROP ROLE IF EXISTS drill_ordinary",
        "CREATE ROLE drill_ordinary LOGIN IN ROLE pg_read_all_data",
    )
    ordinary = make_conninfo(own_dsn, user="drill_ordinary")
    db = connect(ordinary)
    held: list[psycopg.Connection] = []
    try:
        with pytest.raises(psycopg.OperationalError, match="remaining connection slots"):
            while True:
                held.append(psycopg.connect(ordinary))
        error = assert_fails(ConnectionFailed, db.memories.identifiers, operation="connect")
        assert "remaining connection slots" in str(error)
        assert "close other connections, or raise the server's max_connections" in str(error)
    finally:
        for connection in held:
            connection.close()
    wait_until(lambda: accepts_connections(ordinary))
    assert db.memories.identifiers() == ()


def test_temp_file_limit_is_reported(connect: Connect, own_dsn: str) -> None:
    with connect(own_dsn) as db:
        db.memory("m").remember(*(asked(secrets.token_hex(500)) for _ in range(500)))
    db = connect(make_conninfo(own_dsn, options="-c temp_file_limit=0 -c work_mem=64kB"))
    error = assert_fails(
        OperationFailed,
        lambda: db.memories.search(role="input", limit=500),
        operation="read frame search",
        sqlstate="53400",
    )
    assert "temp_file_limit" in str(error)
    assert db.memories.identifiers() == ("m",)


@pytest.fixture
def small_disk(own: FaultServer) -> Iterator[Path]:
    """A directory of the server with a limit of 24 MB; only root can create it."""
    top = scratch_directory()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", top], capture_output=True, check=False
    )
    if mounted.returncode:
        top.rmdir()
        pytest.skip("only root can mount a small disk")
    status = own.data.stat()
    os.chown(top, status.st_uid, status.st_gid)
    yield top
    # Lazily, because a process of the server may still have a file of it open.
    subprocess.run(["umount", "--lazy", top], check=True)
    top.rmdir()


def test_write_on_full_disk_is_rolled_back_and_recovers(
    connect: Connect, own: FaultServer, own_dsn: str, small_disk: Path
) -> None:
    database = str(conninfo_to_dict(own_dsn)["dbname"])
    own.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    try:
        own.execute("ALTER TABLE memories_elements SET TABLESPACE small", database=database)
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(12 * 2**20))
        db = connect(own_dsn)
        # Random, because PostgreSQL would compress other data.
        large = [asked(random.randbytes(500_000).hex()) for _ in range(20)]
        assert_fails(
            OperationFailed,
            lambda: db.memory("m").remember(asked("q"), *large, variables={"n": 1}),
            operation=REMEMBER,
            sqlstate="53100",
        )
        assert row_counts(own_dsn) == NO_ROWS
        ballast.unlink()
        write(db)
        assert row_counts(own_dsn) == ALL_ROWS
        db.close()
    finally:
        own.execute(f"DROP DATABASE {database} WITH (FORCE)", "DROP TABLESPACE small")


# --- Timeouts of the server


@pytest.mark.parametrize(
    ("setting", "sqlstate"), [("statement_timeout", "57014"), ("lock_timeout", "55P03")]
)
@pytest.mark.parametrize("table", ["memories_elements", None], ids=["table", "turn"])
def test_write_over_server_timeout_is_rolled_back(
    connect: Connect, own_dsn: str, setting: str, sqlstate: str, table: str | None
) -> None:
    db = connect(make_conninfo(own_dsn, options=f"-c {setting}=50"))
    with Client(own_dsn) as other:
        if table is None:  # another one writes to the same memory
            with other.transaction():
                write(other)
                assert_fails(
                    OperationFailed, lambda: write(db), operation=REMEMBER, sqlstate=sqlstate
                )
            assert row_counts(own_dsn) == ALL_ROWS
        else:
            with table_locked(own_dsn, table):
                assert_fails(
                    OperationFailed, lambda: write(db), operation=REMEMBER, sqlstate=sqlstate
                )
            assert row_counts(own_dsn) == NO_ROWS
            write(db)
            assert row_counts(own_dsn) == ALL_ROWS
    db.memory("m").remember(asked("r"))
    assert row_counts(own_dsn) == (1, 1, 3)


@pytest.mark.parametrize(
    ("setting", "sqlstate", "since"),
    [("idle_in_transaction_session_timeout", "25P03", 15), ("transaction_timeout", "25P04", 17)],
)
def test_transaction_over_server_timeout_is_rolled_back(
    connect: Connect, own: FaultServer, own_dsn: str, setting: str, sqlstate: str, since: int
) -> None:
    if int((own.data / "PG_VERSION").read_text()) < since:
        pytest.skip(f"PostgreSQL {since} was the first to have {setting}")
    db = connect(make_conninfo(own_dsn, options=f"-c {setting}=200"))

    def block() -> None:
        with db.transaction():
            write(db)
            wait_until(lambda: not session_pids(own_dsn))
            write(db)

    assert_fails(ConnectionFailed, block, operation=REMEMBER, sqlstate=sqlstate, has_sqlstate=False)
    assert row_counts(own_dsn) == NO_ROWS
    write(db)
    assert row_counts(own_dsn) == ALL_ROWS


def test_session_over_idle_timeout_is_replaced(connect: Connect, own_dsn: str) -> None:
    db = connect(make_conninfo(own_dsn, options="-c idle_session_timeout=500"))
    for number in range(2):
        db.memory("m").remember(asked(str(number)))
        wait_until(lambda: not session_pids(own_dsn))
    assert texts(db.memory("m").recall().context) == ["0", "1"]


# --- Stalled servers and networks


def open_transaction(db: Client) -> None:
    with db.transaction():
        write(db)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for the answer to a cancel request, which does not come."""
    monkeypatch.setattr("draive_pg.database.driver.CANCEL_SECONDS", 0.3)


READING = ("list memories", lambda db: db.memories.identifiers())
WRITING = (REMEMBER, write)
OPENING = ("begin a transaction", open_transaction)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("name", "call"), [READING, OPENING], ids=["read", "transaction"])
def test_call_on_stopped_backend_times_out(
    connect: Connect, own_dsn: str, name: str, call: Callable[[Client], object]
) -> None:
    db = connect(own_dsn)
    db.memories.identifiers()
    (pid,) = session_pids(own_dsn)
    os.kill(pid, signal.SIGSTOP)
    try:
        with limited(db, 0.5):
            error = assert_fails(TimedOut, lambda: call(db), operation=name)
        assert "raise Client(timeout=...)" in str(error)
        db.configurations.define("limits", {})  # in another backend
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: pid not in session_pids(own_dsn))
    assert row_counts(own_dsn) in (NO_ROWS, ALL_ROWS)  # the write may have been completed
    db.memory("after").remember(answered("a"))
    assert "after" in db.memories.identifiers()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("name", "call"), [READING, WRITING], ids=["read", "write"])
def test_call_on_stalled_network_times_out(
    connect: Connect, dsn: str, name: str, call: Callable[[Client], object]
) -> None:
    with recording(dsn) as wire:
        db = connect(make_conninfo(wire.dsn, connect_timeout=2))
        db.memories.identifiers()
        wire.stalled = True
        with limited(db, 0.5):
            error = assert_fails(TimedOut, lambda: call(db), operation=name)
        assert "raise Client(timeout=...)" in str(error)
        assert row_counts(dsn) == NO_ROWS
        wire.stalled = False
        write(db)
        assert row_counts(dsn) == ALL_ROWS
        db.close()


def test_idle_connection_dropped_by_network_is_replaced(
    connect: Connect, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("draive_pg.database.driver.IDLE_SECONDS", 0.0)
    monkeypatch.setattr("draive_pg.database.driver.CHECK_SECONDS", 0.2)
    with recording(dsn) as wire:
        db = connect(wire.dsn, timeout=None)
        db.memories.identifiers()
        wire.take_sent()
        wire.stalled = True

        def restore_when_checked() -> None:
            wait_until(lambda: wire.take_sent() != "")  # this message is dropped
            wire.stalled = False

        with in_background(restore_when_checked):
            assert db.memories.identifiers() == ()
        db.close()


@pytest.mark.usefixtures("impatient")
def test_transaction_on_stalled_network_is_rolled_back(connect: Connect, dsn: str) -> None:
    with recording(dsn) as wire:
        db = connect(make_conninfo(wire.dsn, connect_timeout=2))

        def block() -> None:
            with db.transaction():
                write(db)
                wire.stalled = True
                with limited(db, 0.5):
                    write(db)

        error = assert_fails(TimedOut, block, operation=REMEMBER)
        assert "raise Client(timeout=...)" in str(error)
        assert row_counts(dsn) == NO_ROWS
        wire.stalled = False
        write(db)
        assert row_counts(dsn) == ALL_ROWS
        db.close()


CONNECTING = {
    "read": lambda db: db.memories.identifiers(),
    "write": write,
    "transaction": open_transaction,
    "frame": lambda db: db.frames.conversation_log(),
}


@pytest.mark.parametrize("call", CONNECTING.values(), ids=CONNECTING)
def test_timeout_limits_whole_call(
    connect: Connect, dsn: str, call: Callable[[Client], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The liveness check of an idle connection, connecting, the statement and its retry."""
    monkeypatch.setattr("draive_pg.database.driver.IDLE_SECONDS", 0.0)
    monkeypatch.setattr("draive_pg.database.driver.CHECK_SECONDS", 0.2)
    with recording(dsn) as wire:
        db = connect(wire.dsn)
        call(db)  # without the short timeout: the first frame imports pandas
        wire.stalled = True
        with limited(db, 0.5):
            error = assert_fails(TimedOut, lambda: call(db), operation="connect")
        assert re.search(r"timeout of 0.5 s.*Client\(timeout=\.\.\.\)", str(error))
        wire.stalled = False
        call(db)


def test_timeout_limits_wait_for_connection(connect: Connect, dsn: str) -> None:
    db = connect(dsn, max_size=1, timeout=0.2)
    slow = [lambda db: db.memory("m").recall()]
    with table_locked(dsn, "memories_elements"), pytest.raises(TimedOut):
        run_concurrently(db, slow, slow)


def test_connection_is_checked_after_system_sleep(
    connect: Connect, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monotonic clock stands still meanwhile."""
    with recording(dsn) as wire:
        db = connect(wire.dsn)
        db.memories.identifiers()
        wire.take_sent()
        later = time.time() + 3600
        monkeypatch.setattr(time, "time", lambda: later)
        monkeypatch.setattr("draive_pg.database.driver.time", lambda: later, raising=False)
        db.memories.identifiers()
        assert wire.take_sent() == "QPBDES"  # the check, and the query
        db.close()


def test_timed_out_call_is_cancelled_on_server(connect: Connect, dsn: str) -> None:
    db = connect(dsn)
    with table_locked(dsn, "memories_elements"):
        with limited(db, 0.5):
            error = assert_fails(TimedOut, lambda: write(db), operation=REMEMBER)
        assert "raise Client(timeout=...)" in str(error)
        wait_until(lambda: not busy(dsn))
    assert row_counts(dsn) == NO_ROWS
    write(db)
    assert row_counts(dsn) == ALL_ROWS


def busy(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        return bool(
            connection.execute(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'draive_pg' AND state <> 'idle'"
            ).fetchall()
        )


# --- Unreachable servers


@pytest.fixture(scope="module")
def password_dsn(own: FaultServer) -> str:
    """The DSN of a role that requires a password."""
    rules = own.data / "pg_hba.conf"
    rules.write_text(f"local all drill_walled scram-sha-256\n{rules.read_text()}")
    own.execute("CREATE ROLE drill_walled LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()")
    return make_conninfo(own.dsn(), user="drill_walled")


@contextmanager
def listener(answer: bytes) -> Generator[int]:
    """A port that replies to the first message with the given bytes, or not at all."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        accepted: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                accepted.append(client)
                if client.recv(8) and answer:
                    client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for client in accepted:
            client.close()


@contextmanager
def closed_port() -> Generator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield free.getsockname()[1]


@pytest.fixture
def unreachable(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The DSN of an unreachable server, and the reason in the error."""
    match request.param:
        case "password":
            yield (
                request.getfixturevalue("password_dsn"),
                'password authentication failed for user "',
            )
        case "role":
            yield make_conninfo(request.getfixturevalue("dsn"), user="nosuch"), '"nosuch"'
        case "database":
            dsn = make_conninfo(request.getfixturevalue("dsn"), dbname="nosuch")
            yield dsn, 'database "nosuch" does not exist'
        case "port":
            with closed_port() as port:
                yield f"host=127.0.0.1 port={port}", "Connection refused"
        case "socket":
            yield "host=/nosuch/directory", "/nosuch/directory"
        case "name":
            yield "host=nosuch.invalid", "nosuch.invalid"
        case "encryption":
            with listener(b"N") as port:
                yield f"host=127.0.0.1 port={port} sslmode=require", "SSL"
        case _:  # silence
            with listener(b"") as port:
                yield f"host=127.0.0.1 port={port} connect_timeout=2", "timeout"


@pytest.mark.parametrize(
    "unreachable",
    ["password", "role", "database", "port", "socket", "name", "encryption", "silence"],
    indirect=True,
)
def test_unreachable_server_error_hides_password(
    connect: Connect, unreachable: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    dsn, reason = unreachable
    secret = secrets.token_hex()
    db = connect(make_conninfo(dsn, password=secret))
    kind = TimedOut if reason == "timeout" else ConnectionFailed
    error = assert_fails(kind, db.memories.identifiers, operation="connect")
    assert reason in str(error)
    assert "; check the DSN" in str(error)
    assert isinstance(error.__cause__, psycopg.OperationalError)
    told = (repr(db), repr(error), *traceback.format_exception(error), caplog.text)
    assert secret not in "".join(told)


# --- Read-only servers


@pytest.fixture(params=["read-only", "standby"])
def unwritable(request: pytest.FixtureRequest, own: FaultServer, standby: FaultServer) -> str:
    """A read-only database with the rows that the reads return."""
    dsn = own.database()
    with Client(dsn) as db:
        fill(db)
    if request.param == "read-only":
        return make_conninfo(dsn, options="-c default_transaction_read_only=on")
    with psycopg.connect(dsn) as connection:
        ((written,),) = connection.execute("SELECT pg_current_wal_flush_lsn()::TEXT").fetchall()
    replayed(standby, written)
    return standby.dsn(str(conninfo_to_dict(dsn)["dbname"]))


@pytest.fixture(scope="module")
def standby(own: FaultServer) -> Iterator[FaultServer]:
    with following(own) as standby:
        yield standby


@contextmanager
def following(own: FaultServer) -> Generator[FaultServer]:
    data = own.data.with_name("standby")
    standby = own.standby(data)
    yield standby
    standby.stop()
    shutil.rmtree(data)


def replayed(standby: FaultServer, written: str) -> None:
    """Wait until a standby has replayed the WAL up to a position."""
    with psycopg.connect(standby.dsn(), autocommit=True) as connection:
        wait_until(
            lambda: bool(
                connection.execute(
                    "SELECT WHERE pg_last_wal_replay_lsn() >= %s::PG_LSN", (written,)
                ).fetchall()
            )
        )


def test_read_only_server_accepts_reads_and_rejects_writes(
    connect: Connect, unwritable: str
) -> None:
    db = connect(unwritable, live=True)
    for read in READS.values():
        read(db)
    for name, call in WRITES.items():
        error = assert_fails(
            OperationFailed, lambda call=call: call(db), operation=name, sqlstate="25006"
        )
        assert str(error).endswith("; connect to a server that accepts writes")
    assert db.setup() == ()
    assert row_counts(unwritable) == (1, 1, 1)


def test_export_of_a_standby_does_not_miss_a_late_commit(
    own: FaultServer, standby: FaultServer, tmp_path: Path
) -> None:
    dsn = own.database()
    copy = standby.dsn(str(conninfo_to_dict(dsn)["dbname"]))

    def replay(connection: psycopg.Connection) -> None:
        ((written,),) = connection.execute("SELECT pg_current_wal_flush_lsn()::TEXT").fetchall()
        replayed(standby, written)

    with Client(dsn) as db, psycopg.connect(dsn) as late, psycopg.connect(dsn) as other:
        for name in ("first", "late"):
            db.memory(name).remember(asked("q"))
        late.execute(
            "INSERT INTO memories_elements (identifier, content)"
            " SELECT 'late', content FROM memories_elements LIMIT 1"
        )
        db.memory("first").remember(asked("r"))
        replay(other)
        with Client(copy) as reader:
            with pytest.warns(StoredDataSkipped, match="1 row of transactions"):
                reader.frames.export("conversation_log", tmp_path / "log", partition_by="month")
            late.commit()
            other.rollback()
            replay(other)
            reader.frames.export("conversation_log", tmp_path / "log", since="last")
        exported = [len(pd.read_parquet(file)) for file in (tmp_path / "log").rglob("*.parquet")]
        assert sum(exported) == len(db.frames.conversation_log()) == 4


@pytest.mark.slow
def test_target_session_attrs_selects_host_and_failover(connect: Connect) -> None:
    with fault_server() as primary, following(primary) as standby:
        dsn = primary.database()
        hosts = [str(conninfo_to_dict(server.dsn())["host"]) for server in (standby, primary)]
        both = make_conninfo(dsn, host=",".join(hosts), port="5432,5432")
        db = connect(make_conninfo(both, target_session_attrs="read-write"))
        write(db)
        with psycopg.connect(dsn) as connection:
            ((written,),) = connection.execute(
                "SELECT pg_current_wal_insert_lsn()::TEXT"
            ).fetchall()
        replayed(standby, written)
        reader = connect(make_conninfo(both, target_session_attrs="standby"))
        assert reader.memories.identifiers() == ("m",)
        with pytest.raises(OperationFailed, match="25006"):
            write(reader)
        primary.crash(signal.SIGKILL)
        standby.execute("SELECT pg_promote()")
        db.memory("n").remember(asked("q"))
        assert db.memories.identifiers() == ("m", "n")


# --- Conflicting writers


def test_deadlock_aborts_one_transaction(connect: Connect, own_dsn: str) -> None:
    # The session with the shorter deadlock_timeout is aborted.
    db = connect(make_conninfo(own_dsn, options="-c deadlock_timeout=50"))
    patient = make_conninfo(own_dsn, options="-c deadlock_timeout=60s")
    both_locked = threading.Barrier(2)

    def opposite() -> None:
        with Client(patient) as other, other.transaction():
            other.memory("b").remember(asked("theirs"))
            both_locked.wait(20)
            other.memory("a").remember(asked("theirs"))

    def block() -> None:
        with db.transaction():
            db.memory("a").remember(asked("ours"))
            both_locked.wait(20)
            wait_for_lock_waiters(own_dsn, at_least=1)
            db.memory("b").remember(asked("ours"))

    with in_background(opposite):
        assert_fails(OperationFailed, block, operation="remember in memory 'b'", sqlstate="40P01")
    for name in ("a", "b"):
        assert texts(db.memory(name).recall().context) == ["theirs"]
        db.memory(name).remember(asked("ours"))
        assert texts(db.memory(name).recall().context) == ["theirs", "ours"]


def test_concurrent_writes_succeed_with_serializable_default(
    connect: Connect, own: FaultServer, own_dsn: str
) -> None:
    name = conninfo_to_dict(own_dsn)["dbname"]
    own.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    db = connect(own_dsn, max_size=8)
    run_concurrently(db, *([write, write],) * 8)
    assert row_counts(own_dsn) == (1, 16, 32)
    assert texts(db.memory("m").recall().context) == ["q", "a"] * 16


# --- Processes


def test_killed_writer_leaves_only_complete_batches(dsn: str) -> None:
    code = """
import sys
from draive_pg import Client
from tests.elements import asked
db = Client(sys.argv[1])
for batch in range(100_000):
    db.memory("m").remember(*(asked(f"{batch}/{n}") for n in range(10)), variables={"n": batch})
    print(batch, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, dsn], stdout=subprocess.PIPE, text=True
    ) as writer:
        for line in writer.stdout:
            if int(line) == 30:
                writer.kill()
                break
        told = 31 + len(writer.stdout.readlines())
    wait_until(lambda: not session_pids(dsn))
    with Client(dsn) as db:
        log = list(db.memory("m").log().text)
        batches = len(log) // 10
        assert log == [f"{batch}/{n}" for batch in range(batches) for n in range(10)]
        assert batches in (told, told + 1)
        assert db.memory("m").recall().variables == {"n": batches - 1}


def test_ten_processes_write_to_one_new_memory(dsn: str) -> None:
    code = """
import os, sys
from draive_pg import Client
from tests.elements import asked
ready, go = os.pipe()
children = []
for writer in range(10):
    if (child := os.fork()) == 0:
        os.close(go)
        os.read(ready, 1)
        db = Client(sys.argv[1])
        for batch in range(3):
            db.memory("m").remember(*(asked(f"{writer}/{batch}/{n}") for n in range(4)))
        db.close()
        os._exit(0)
    children.append(child)
os.close(go)
print([os.waitpid(child, 0)[1] for child in children])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, dsn], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == (f"{[0] * 10}\n", "")
    with Client(dsn) as db:
        log = db.memory("m").log()
    assert log.created.is_unique
    assert log.created.is_monotonic_increasing
    written = [text.rpartition("/") for text in log.text]
    assert [int(number) for *_, number in written] == [0, 1, 2, 3] * 30
    batches = [batch for batch, *_ in written][::4]
    assert [batch for batch, *_ in written] == [batch for batch in batches for _ in range(4)]
    assert sorted(batches) == sorted(f"{writer}/{n}" for writer in range(10) for n in range(3))
    for writer in range(10):
        assert [batch for batch in batches if batch.startswith(f"{writer}/")] == [
            f"{writer}/{n}" for n in range(3)
        ]
