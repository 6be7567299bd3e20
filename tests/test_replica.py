"""Long reads on a streaming replica: reads of own writes, lag, outages, promotion, conflicts."""

import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from draive_pg import Client, OperationFailed
from draive_pg.database import replica as routing
from draive_pg.embedded import Server, binaries
from tests.cli_runner import Shell
from tests.conftest import VARIABLE, Connect
from tests.elements import answered, asked, insert_elements
from tests.server import FAST, scratch_directory, wait_until

# Asynchronous commits are sent after up to 0.2 s, for which reads would wait. The primary keeps
# what a standby still needs that was restarted, also after the checkpoint of a backup.
SETTINGS = FAST | {
    "synchronous_commit": "on",
    "wal_keep_size": "1GB",
    "wal_retrieve_retry_interval": "100ms",
}

IS_REPLICA = "SELECT pg_is_in_recovery() AS it"


class Pair:
    """A primary and its standbys, in one directory."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.primary = Server(top / "primary", settings=SETTINGS).start()
        self.standby = self.new_standby("standby")

    def new_standby(self, name: str, *, of: Server | None = None) -> Server:
        data = self.top / name
        owner = self.top.joinpath("primary").stat()
        primary = make_conninfo((of or self.primary).uri(), dbname="")
        backup = (binaries.find() / "pg_basebackup", "-D", data, "-R", "-c", "fast", "-d", primary)
        self.top.chmod(0o777)
        subprocess.run(backup, check=True, user=owner.st_uid, group=owner.st_gid, cwd="/")
        self.top.chmod(0o755)
        delay = {"max_standby_streaming_delay": "0", "hot_standby_feedback": "off"}
        server = Server(data, settings=SETTINGS | delay).start()
        with psycopg.connect(server.uri(), autocommit=True) as connection:
            streaming = "SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'"
            wait_until(lambda: connection.execute(streaming).fetchone() is not None)
        return server

    def stop(self) -> None:
        for server in (self.standby, self.primary):
            server.stop(force=True)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    top = scratch_directory()
    pair = Pair(top)
    with Client(pair.primary.uri()) as db:
        db.setup()
    yield pair
    pair.stop()
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def dsn(pair: Pair) -> str:
    """A primary without memories, whose standby has replayed everything."""
    with psycopg.connect(pair.primary.uri(), autocommit=True) as connection:
        connection.execute("TRUNCATE memories CASCADE")
        ((position,),) = connection.execute("SELECT pg_current_wal_flush_lsn()::TEXT").fetchall()
    wait_until_replayed(pair, position)
    return pair.primary.uri()


def wait_until_replayed(pair: Pair, position: str) -> None:
    with psycopg.connect(pair.standby.uri(), autocommit=True) as connection:
        connection.execute("SELECT pg_wal_replay_resume()")
        replayed = "SELECT FROM pg_last_wal_replay_lsn() AS lsn WHERE lsn >= %s::PG_LSN"
        wait_until(
            lambda: connection.execute(replayed, (position,)).fetchone() is not None, timeout=60
        )


@pytest.fixture
def replicated(connect: Connect, dsn: str, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client that has read from the replica, which may take a while to stream after a restart."""
    monkeypatch.setattr(routing, "LAG_SECONDS", 20.0)
    db = connect(dsn, replica=pair.standby.uri())
    db.memory("m").remember(asked("first"), answered("x"))
    assert db.sql(IS_REPLICA).it.all()
    return db


def test_records_that_are_not_flushed_are_not_waited_for(replicated: Client, dsn: str) -> None:
    """As those of pruning a page for a read, while nobody commits."""
    replicated.memory("m").remember(asked("again"))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_logical_emit_message(FALSE, 'test', 'not a commit')")
    assert replicated.sql(IS_REPLICA).it.all()


def test_open_transactions_are_not_waited_for(replicated: Client, dsn: str) -> None:
    with psycopg.connect(dsn) as other:
        for number in range(3):
            replicated.memory("m").remember(asked("again"))
            other.execute("INSERT INTO memories (identifier) VALUES (%s)", (f"{number}",))
            assert len(replicated.frames.conversation_log("m")) == 3 + number
            assert replicated.sql(IS_REPLICA).it.all()
        other.rollback()


def pause_replay(pair: Pair) -> None:
    with psycopg.connect(pair.standby.uri(), autocommit=True) as connection:
        connection.execute("SELECT pg_wal_replay_pause()")
        state = "SELECT pg_get_wal_replay_pause_state()"
        wait_until(lambda: connection.execute(state).fetchone() == ("paused",))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_long_reads_are_answered_by_the_replica(
    replicated: Client, dsn: str, pair: Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    db = replicated
    pause_replay(pair)
    with Client(dsn) as other:
        other.memory("new").remember(asked("first"))
    # the replica does not have what the other client wrote
    assert db.frames.conversation_log().identifier.unique().tolist() == ["m"]
    assert sum(len(chunk) for chunk in db.frames.chunks("conversation_log", rows=1)) == 2
    assert len(db.analysis.turns()) == 1
    assert db.memories.search("first").identifier.tolist() == ["m"]
    assert db.frames.export("conversation_log", tmp_path / "log.parquet") == 2
    assert db.frames.export("conversation_log", tmp_path / "log", partition_by="day") == 2
    # calls on memories, and transactions
    assert db.memories.identifiers() == ("m", "new")
    assert db.memories.count() == 2
    with Client(dsn, replica=pair.standby.uri()) as sync, sync.transaction():
        assert len(sync.frames.conversation_log()) == 3
        assert not sync.sql(IS_REPLICA).it.any()
    assert warnings_of(caplog) == []


def test_primary_answers_while_streams_use_all_connections_to_the_replica(
    replicated: Client, caplog: pytest.LogCaptureFixture
) -> None:
    streams = [replicated.frames.chunks("conversation_log", rows=1) for _ in range(4)]
    for stream in streams:
        assert len(next(stream)) == 1
    assert not replicated.sql(IS_REPLICA).it.any()
    for stream in streams:
        stream.close()
    assert replicated.sql(IS_REPLICA).it.all()
    assert warnings_of(caplog) == []


def test_reads_see_what_the_client_has_written(
    replicated: Client, dsn: str, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        replicated.memory("m").remember(asked(str(number)))
        assert len(replicated.frames.conversation_log("m")) == 3 + number
        assert replicated.sql(IS_REPLICA).it.all()
    with Client(dsn, replica=pair.standby.uri()) as sync:
        with sync.transaction():
            sync.memory("t").remember(asked("in a transaction"))
        assert len(sync.frames.conversation_log("t")) == 1
        assert sync.sql(IS_REPLICA).it.all()
    assert warnings_of(caplog) == []


def test_primary_answers_while_the_replica_is_behind(
    replicated: Client,
    pair: Pair,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(routing, "LAG_SECONDS", 0.2)
    pause_replay(pair)
    replicated.memory("m").remember(asked("second"))
    for _ in range(2):
        assert len(replicated.frames.conversation_log()) == 3
    (warning,) = warnings_of(caplog)
    assert warning.startswith("reading from the primary for 10 s instead of the replica (host=")
    assert warning.endswith("): it is more than 0.2 s behind")
    # afterwards it must have what the primary has answered
    monkeypatch.setattr(routing, "monotonic", lambda: routing.time.monotonic() + 11)
    assert len(replicated.frames.conversation_log()) == 3
    assert len(warnings_of(caplog)) == 2
    with psycopg.connect(pair.standby.uri(), autocommit=True) as connection:
        connection.execute("SELECT pg_wal_replay_resume()")
    monkeypatch.setattr(routing, "monotonic", lambda: routing.time.monotonic() + 22)
    assert replicated.sql(IS_REPLICA).it.all()


def test_primary_answers_while_the_replica_is_down(
    connect: Connect, dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    db = connect(dsn, replica="host=/nowhere password=secret")
    db.memory("m").remember(asked("first"))
    for _ in range(3):
        assert len(db.frames.conversation_log()) == 1
    (warning,) = warnings_of(caplog)
    assert "connect: connection" in warning
    assert "secret" not in warning


def test_replica_is_used_again_after_a_restart(
    replicated: Client,
    pair: Pair,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair.standby.stop(force=True)
    assert len(replicated.frames.conversation_log()) == 2
    assert "reading from the primary for 10 s" in warnings_of(caplog)[-1]
    pair.standby.start()
    monkeypatch.setattr(routing, "monotonic", lambda: routing.time.monotonic() + 11)
    assert replicated.sql(IS_REPLICA).it.all()


def test_promoted_replica_is_not_read(
    connect: Connect, dsn: str, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    standby = pair.new_standby("promoted")
    db = connect(dsn, replica=standby.uri())
    try:
        assert db.sql(IS_REPLICA).it.all()
        with psycopg.connect(standby.uri(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")
            connection.execute("INSERT INTO memories (identifier) VALUES ('only here')")
        assert len(db.frames.sessions()) == 0
        assert "it was promoted, so it is not a replica any more" in warnings_of(caplog)[-1]
        (problem,) = db.diagnose().problems
        assert problem == "the replica: it was promoted, so it is not a replica any more"
    finally:
        db.close()
        standby.stop(force=True)
        shutil.rmtree(standby.data)


def test_read_that_conflicts_with_recovery_is_repeated_on_the_primary(
    replicated: Client, dsn: str, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    conflict = threading.Thread(target=_cause_conflict, args=(dsn, pair, "pg_sleep(30)"))
    conflict.start()
    query = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_sleep(30)::TEXT END, count(*) FROM {}"
    frame = replicated.sql(query.format("memories_elements"))
    conflict.join()
    assert frame["count"].tolist() == [0]
    (warning,) = warnings_of(caplog)
    assert "canceling statement due to conflict with recovery" in warning


def test_conflict_after_the_first_rows_is_explained(
    replicated: Client, dsn: str, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(dsn, cursor_factory=psycopg.RawCursor) as connection:
        insert_elements(replicated, connection, 20_000)
    replicated.memory("other").remember(asked("of the replica"))
    chunks = replicated.frames.chunks("conversation_log", rows=1000)
    next(chunks)
    _cause_conflict(dsn, pair, "COPY")
    with pytest.raises(OperationFailed, match=r"conflict with recovery .*hot_standby_feedback"):
        for _ in chunks:
            pass


def _cause_conflict(dsn: str, pair: Pair, running: str) -> None:
    """Remove rows that a statement on the replica may still read."""
    with psycopg.connect(pair.standby.uri(), autocommit=True) as standby:
        query = "SELECT FROM pg_stat_activity WHERE query ~ %s AND pid <> pg_backend_pid()"
        wait_until(lambda: bool(standby.execute(query, (running.partition("(")[0],)).fetchall()))
    with psycopg.connect(dsn, autocommit=True) as primary:
        primary.execute("DELETE FROM memories_elements")
        primary.execute("VACUUM memories_elements")


def test_replica_of_another_primary_is_not_read(
    connect: Connect, dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    db = connect(dsn, replica=os.environ[VARIABLE])
    assert len(db.frames.conversation_log()) == 0
    assert "it is not a replica of this primary" in warnings_of(caplog)[-1]


def test_replica_of_another_primary_with_the_same_data_is_not_read(
    connect: Connect, dsn: str, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """As a copy of production that was promoted for tests, and the replica of production."""
    copy = pair.new_standby("copy")
    db = connect(copy.uri(), replica=pair.standby.uri())
    try:
        with psycopg.connect(copy.uri(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")
        with Client(dsn) as original:
            original.memory("original").remember(asked("x" * 100_000))
        db.memory("copy").remember(asked("first"))
        assert db.frames.sessions().identifier.tolist() == ["copy"]
        assert "it is on timeline 1, and the primary is on timeline 2" in warnings_of(caplog)[-1]
        own = pair.new_standby("standby_of_copy", of=copy)
        try:
            with Client(copy.uri(), replica=own.uri()) as client:
                assert client.sql(IS_REPLICA).it.all()
        finally:
            own.stop(force=True)
            shutil.rmtree(own.data)
    finally:
        db.close()
        copy.stop(force=True)
        shutil.rmtree(copy.data)


def test_other_database_of_the_replica_is_not_read(
    connect: Connect, dsn: str, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE other")
        ((position,),) = connection.execute("SELECT pg_current_wal_flush_lsn()::TEXT").fetchall()
    wait_until_replayed(pair, position)
    db = connect(dsn, replica=make_conninfo(pair.standby.uri(), dbname="other"))
    try:
        assert len(db.frames.sessions()) == 0
        assert "its DSN names another database" in warnings_of(caplog)[-1]
    finally:
        db.close()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("DROP DATABASE other")


def test_wrong_replica_is_rejected(connect: Connect, dsn: str) -> None:
    with pytest.raises(ValueError, match="replica must be one server: of several, one may be"):
        connect(dsn, replica="postgresql://a,b/app")
    with pytest.raises(ValueError, match="the DSN is empty"):
        connect(dsn, replica=" ")
    with psycopg.connect(dsn) as own, pytest.raises(ValueError, match="pool excludes a dsn"):
        Client(pool=own, replica=dsn)


def test_doctor_reports_problems_of_the_replica(
    shell: Shell, replicated: Client, dsn: str, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert replicated.diagnose().problems == ()
    done = shell("doctor", "--dsn", dsn, "--replica", pair.standby.uri())
    assert (done.code, done.err) == (0, "")
    done = shell("doctor", "--dsn", dsn, "--replica", "host=/nowhere")
    assert done.code == 1
    assert (
        "the replica: compare with the replica: " in done.out or "the replica: connect" in done.out
    )
    monkeypatch.setattr(routing, "MAX_BEHIND", 10_000)
    pause_replay(pair)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_logical_emit_message(TRUE, '', repeat('x', 20000))")
    (problem,) = replicated.diagnose().problems
    assert problem.endswith(" of WAL behind the primary")
