"""Connections of clients: DSNs, event loops, threads, forks and failures."""

import asyncio
import copy
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from types import FrameType
from urllib.parse import quote, urlencode

import psycopg
import pytest
from draive import Configuration
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from draive_pg import (
    AsyncClient,
    Client,
    ConnectionFailed,
    DraivePGError,
    Memory,
    OperationEvent,
    OperationFailed,
)
from draive_pg.adapters import PostgresConnectionPool
from draive_pg.database import Database
from draive_pg.database.endpoint import Endpoint, endpoint_of
from tests.conftest import Connect
from tests.elements import asked, texts
from tests.recording_proxy import recording
from tests.server import scratch_directory, wait_for_lock_waiters, wait_until


class RequiredLimits(Configuration):
    tokens: int


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://user:secret@host/db?nosuch=1",
        "password=secret nosuch=1",
        "secret",
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_invalid_dsn_is_rejected_without_showing_it(kind: type, dsn: str) -> None:
    with pytest.raises(ValueError, match="DSN is neither") as caught:
        kind(dsn)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_connect_timeout_that_is_no_number_is_rejected() -> None:
    with pytest.raises(ValueError, match="connect_timeout in the DSN must be a whole") as rejected:
        Client("postgresql://u:s3cret@localhost/db?connect_timeout=abc")
    assert rejected.value.__context__ is None


@pytest.mark.parametrize("empty", ["", " "])
@pytest.mark.parametrize("kind", [Client, AsyncClient, PostgresConnectionPool.of])
def test_empty_dsn_is_rejected(
    kind: Callable[..., object], empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="the DSN is empty"):
        kind(empty)
    monkeypatch.setenv("DRAIVE_PG_DSN", empty)
    with pytest.raises(ValueError, match="the DSN is empty"):
        kind()


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://user:very@secret@localhost/db",
        "postgresql://user:p/secret@host/db",
        "postgresql://user:12/secret@host/db",
        "postgresql://us@er:secret@host/db",
        "postgresql://user:pass@host,user:secret@host2/db",
        "dbname=postgresql://user:secret@host/db",
        "user=user:secret@host host=host",
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_dsn_with_unencoded_password_is_rejected(kind: type, dsn: str) -> None:
    with pytest.raises(ValueError, match="percent-encode") as caught:
        kind(dsn)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["ssl", "schema", "connection_limit", "pgbouncer"])
def test_a_parameter_of_other_drivers_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"has the parameter '{name}'") as caught:
        Client(f"postgresql://user:secret@host/db?{name}=secret")
    assert "secret" not in str(caught.value)


def frames_outside_tests(error: BaseException | None) -> Iterator[FrameType]:
    """Yield the frames that a report of an error and its causes would show."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if not frame.f_globals["__name__"].startswith(("tests.", "asyncio.", "contextlib")):
                yield frame
        error = error.__cause__ or error.__context__


UNREACHABLE = {
    "127.0.0.1:1": "connect: connection to server at .*refused; check the DSN",
    "a..b": "connect: a label of the host name is empty or too long; check the DSN",
    f"{'a' * 64}.example": "connect: a label of the host name is empty or too long; check the DSN",
}


@pytest.mark.parametrize("address", UNREACHABLE)
@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.diagnose(),
        lambda db: db.frames.sessions(),
        lambda db: list(db.frames.chunks("sessions")),
        lambda db: db.transaction().__enter__(),
        lambda db: db.release(prompts={"a": "b"}),
    ],
    ids=["diagnose", "frame", "chunks", "transaction", "release"],
)
def test_no_frame_of_a_failed_connection_has_the_password(
    connect: Connect, call: Callable[[Client], object], address: str
) -> None:
    for live in (False, True):
        db = connect(f"postgresql://user:secret@{address}/db", live=live)
        with pytest.raises(ConnectionFailed, match=f"^{UNREACHABLE[address]}") as caught:
            call(db)
        for frame in frames_outside_tests(caught.value):
            assert "secret" not in repr(frame.f_locals)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://user:secret@host/db?nosuch=1",
        "postgresql://user:very@secret@host/db",
        "postgresql://user:secret@host/db?connection_limit=many",
    ],
)
@pytest.mark.parametrize("make", [Client, AsyncClient, PostgresConnectionPool.of])
def test_no_frame_of_a_refused_dsn_has_the_password(
    make: Callable[[str], object], dsn: str
) -> None:
    with pytest.raises(ValueError, match="DSN") as caught:
        make(dsn)
    assert not list(frames_outside_tests(caught.value))


@pytest.mark.parametrize("name", ["postgresql://user:secret@host/db", "host=h password=secret"])
def test_a_dsn_in_place_of_a_name_is_shown_without_its_password(
    connect: Connect, dsn: str, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    events: list[OperationEvent] = []
    db = connect(dsn, on_operation=events.append)
    caplog.set_level("DEBUG", "draive_pg")
    for call in (
        lambda: db.instructions.load(name),
        lambda: db.configurations.load(RequiredLimits, identifier=name, required=True),
        lambda: db.memory(name).fork("new"),
    ):
        with pytest.raises(DraivePGError, match=r"missing|is no|are no") as caught:
            call()
        assert "secret" not in str(caught.value)
    assert events
    assert "secret" not in f"{events} {caplog.text}"


def test_percent_encoded_dsn_is_accepted() -> None:
    dsn = "postgresql://me%40team:p%40ss%2Fw%3A@h1:1,h2:2/my%20db"
    assert repr(Client(dsn)) == "Client(host=h1,h2 port=1,2 dbname=my db user=me@team)"


def test_repr_shows_address_without_password() -> None:
    db = Client("postgresql://me:secret@db.example:5433/prod?sslmode=require", schema="team")
    assert repr(db) == "Client(host=db.example port=5433 dbname=prod user=me, schema='team')"
    assert repr(AsyncClient("service=x")) == "AsyncClient(service=x)"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_clients_cannot_be_copied_or_pickled(
    kind: type[Client], duplicate: Callable[[object], object]
) -> None:
    db = kind("postgresql://me:secret@host/db")
    for original in (db, db.instructions, db.memory("m")):
        with pytest.raises(TypeError, match="cannot be copied or pickled") as caught:
            duplicate(original)
        assert "secret" not in str(caught.value)


def test_dataclass_with_memory_cannot_be_copied() -> None:
    @dataclass
    class Dependencies:
        memory: Memory[Database]

    with pytest.raises(TypeError, match=r"^Memory\('m'\) cannot be copied or pickled"):
        asdict(Dependencies(Client("host=h").memory("m")))


def test_dsn_options_are_sent_to_server(
    connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    db = connect(f"{dsn} application_name='my app' options='-c statement_timeout=4321'")
    with db.transaction():
        db.memories.identifiers()
        ((seen,),) = sql.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'my app'"
        ).fetchall()
    assert seen >= 1


OPTIONS = {
    "sslmode": "verify-full",
    "sslrootcert": "/ca.pem",
    "sslcert": "/me.pem",
    "sslkey": "/me.key",
    "sslpassword": "p w",
    "sslcrl": "/crl.pem",
    "sslsni": "0",
    "ssl_min_protocol_version": "TLSv1.3",
    "channel_binding": "require",
    "gssencmode": "disable",
    "krbsrvname": "pg",
    "passfile": "/my passwords",
    "connect_timeout": "3",
    "keepalives_idle": "11",
    "tcp_user_timeout": "1234",
    "target_session_attrs": "read-write",
    "load_balance_hosts": "random",
    "options": "-c search_path=a",
    "application_name": "mine",
}


@pytest.mark.parametrize(
    "target", [endpoint_of, lambda dsn: PostgresConnectionPool.of(dsn)._endpoint]
)
@pytest.mark.parametrize("form", ["keywords", "uri"])
def test_libpq_options_are_passed_through(target: Callable[[str], Endpoint], form: str) -> None:
    if form == "keywords":
        dsn = make_conninfo("host=h dbname=d", **OPTIONS)
    else:
        dsn = "postgresql://h/d?" + urlencode(OPTIONS, quote_via=quote)
    passed = conninfo_to_dict(target(dsn).conninfo())
    assert OPTIONS.items() <= passed.items()
    assert (passed["host"], passed["dbname"]) == ("h", "d")


def test_dsn_is_read_from_environment(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAIVE_PG_DSN", dsn)
    with Client() as db:
        db.memory("m").remember(asked("q"))
    with Client(dsn) as db:
        assert db.memories.identifiers() == ("m",)


def test_close_is_idempotent_and_next_call_reopens(db: Client) -> None:
    db.close()
    db.memory("m").remember(asked("q"))
    db.close()
    db.close()
    assert db.memories.identifiers() == ("m",)


def test_client_works_within_and_after_with_block(connect: Connect, dsn: str) -> None:
    with connect(dsn) as db:
        db.memory("m").remember(asked("q"))
    assert db.memories.identifiers() == ("m",)


def test_connections_of_ended_event_loops_are_closed(dsn: str, sql: psycopg.Connection) -> None:
    db = AsyncClient(dsn)
    for _ in range(5):
        asyncio.run(db.memories.identifiers())
    asyncio.run(db.close())

    def left() -> int:
        ((count,),) = sql.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'draive_pg'"
        ).fetchall()
        return count

    wait_until(lambda: left() == 0)  # sessions end a moment after their connections


def test_unavailable_server_fails_fast_and_recovers(
    db: Client, sql: psycopg.Connection, dsn: str
) -> None:
    db.memory("m").remember(asked("q"))
    name = Identifier(sql.info.dbname)
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as admin:
        admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        try:
            sql.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'draive_pg'"
            )
            for _ in range(3):
                started = time.monotonic()
                with pytest.raises(ConnectionFailed, match="not currently accepting connections"):
                    db.memories.identifiers()
                assert time.monotonic() - started < 20
        finally:
            admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    assert db.memories.identifiers() == ("m",)


def test_forked_process_does_not_use_connections_of_parent(dsn: str) -> None:
    code = """
import os, warnings, sys
from draive_pg import Client
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside the threads of a pool
db = Client(sys.argv[1])
db.configurations.define("limits", {"a": 1})
children = []
for number in range(3):
    if (child := os.fork()) == 0:
        for _ in range(10):
            db.configurations.define(f"child {number}", {"a": number})
        db.close()
        os._exit(0)
    children.append(child)
for _ in range(10):
    db.configurations.define("limits", {"a": 1})
print([os.waitpid(child, 0)[1] for child in children], len(db.configurations.configurations()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, dsn], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("[0, 0, 0] 4\n", "")


@pytest.mark.parametrize(
    "setting",
    [
        "default_transaction_isolation=serializable",
        r"default_transaction_isolation=repeatable\\ read",
    ],
)
def test_session_settings_of_role_do_not_affect_client(
    connect: Connect, dsn: str, setting: str
) -> None:
    db = connect(f"{dsn} options='-c {setting}'", max_size=8)
    db.memory("m").remember(asked("żółć €"), variables={"ż": "€"})
    with ThreadPoolExecutor(6) as pool, Client(f"{dsn} options='-c {setting}'", max_size=6) as own:
        for done in [pool.submit(own.memory("m").remember, asked(str(n))) for n in range(30)]:
            done.result(60)
    log = db.memory("m").log()
    assert (len(log), log.created.is_unique, log.text[0]) == (31, True, "żółć €")
    assert db.memory("m").recall().variables == {"ż": "€"}


def test_libpq_environment_does_not_affect_embedded_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = scratch_directory()
    monkeypatch.setenv("DRAIVE_PG_HOME", str(home))
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    try:
        with Client() as db:
            db.setup()
            db.memory("m").remember(asked("żółć €"))
            assert texts(db.memory("m").recall().context) == ["żółć €"]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_identifier_over_index_size_raises_operation_failed(db: Client) -> None:
    identifier = "".join(chr(0x4E00 + number) for number in range(10_000))
    with pytest.raises(OperationFailed, match="54000") as caught:
        db.memory(identifier).remember(asked("q"))
    assert len(str(caught.value)) < 400


def test_threads_can_share_client(dsn: str) -> None:
    with Client(dsn, max_size=3) as db, ThreadPoolExecutor(12) as pool:
        for done in [pool.submit(db.memory(str(n % 4)).remember, asked(str(n))) for n in range(60)]:
            done.result(60)
        assert len(db.frames.conversation_log()) == 60


def test_tasks_can_share_client(dsn: str) -> None:
    async def work() -> int:
        async with AsyncClient(dsn, max_size=3) as db:
            await asyncio.gather(
                *(db.memory(str(n % 4)).remember(asked(str(n))) for n in range(60))
            )
            return len(await db.frames.conversation_log())

    assert asyncio.run(work()) == 60


def test_async_client_works_in_successive_event_loops(dsn: str) -> None:
    db = AsyncClient(dsn)

    async def use() -> tuple[str, ...]:
        try:
            return await db.memories.identifiers()
        finally:
            await db.close()

    assert asyncio.run(use()) == ()
    assert asyncio.run(use()) == ()


def test_cancelled_write_is_rolled_back(dsn: str, sql: psycopg.Connection) -> None:
    async def work() -> None:
        async with AsyncClient(dsn) as db:
            await db.memory("m").maintenance()
            with sql.transaction():
                sql.execute("LOCK TABLE memories_elements")
                task = asyncio.create_task(db.memory("m").remember(asked("q"), variables={"a": 1}))
                await asyncio.to_thread(wait_for_lock_waiters, dsn, at_least=1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            recalled = await db.memory("m").recall()
            assert (recalled.context, recalled.variables) == ((), {})

    asyncio.run(work())


def test_exhausted_pool_raises_connection_failed(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("draive_pg.database.pool.ACQUIRE_SECONDS", 0.2)
    held, done = threading.Event(), threading.Event()
    with Client(dsn, max_size=1) as db, ThreadPoolExecutor(1) as pool:

        def hold() -> None:
            with db.transaction():
                db.memories.identifiers()
                held.set()
                done.wait(30)

        holding = pool.submit(hold)
        held.wait(30)
        with pytest.raises(ConnectionFailed, match="all 1 connections of this client were in use"):
            db.memories.identifiers()
        done.set()
        holding.result(30)


def test_sequential_calls_open_one_connection(connect: Connect, dsn: str) -> None:
    with recording(dsn) as wire:
        db = connect(wire.dsn)
        for _ in range(3):
            db.memories.identifiers()
        assert wire.connections == 1
        db.close()


@pytest.mark.parametrize("end", ["", "db.close()", "os._exit(0)"])
def test_script_exits_promptly_with_and_without_close(dsn: str, end: str) -> None:
    code = f"import os, draive_pg; db = draive_pg.Client(); print(db.memories.identifiers()); {end}"
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "DRAIVE_PG_DSN": dsn},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert time.monotonic() - started < 10
