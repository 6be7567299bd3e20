"""Frames by COPY: in transactions, in chunks, with interrupts and lost connections."""

import asyncio
import os
import signal
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest

from draive_pg import AsyncClient, Client, ConnectionFailed, OperationFailed
from draive_pg.operations.copy import Rows
from tests.conftest import Connect
from tests.elements import answered, asked, insert_elements
from tests.fault_server import assert_fails, in_background, table_locked, terminate_sessions
from tests.server import wait_for_lock_waiters, wait_until


def idle(sql: psycopg.Connection) -> bool:
    """Return whether all sessions of the client are idle."""
    return not sql.execute(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'draive_pg' AND state <> 'idle'"
    ).fetchall()


# --- In a transaction


def test_frame_in_transaction_includes_uncommitted_writes(db: Client, dsn: str) -> None:
    with db.transaction():
        db.memory("m").remember(asked("q"))
        assert list(db.frames.conversation_log().text) == ["q"]
        assert [len(chunk) for chunk in db.frames.chunks("conversation_log")] == [1]
        with Client(dsn) as other:
            assert len(other.frames.conversation_log()) == 0
        db.memory("m").remember(answered("a"))
    assert list(db.frames.conversation_log().text) == ["q", "a"]


def test_chunks_closed_early_keep_transaction_usable(db: Client, sql: psycopg.Connection) -> None:
    insert_elements(db, sql, 10_000)
    with db.transaction():
        db.memory("n").remember(asked("kept"))
        with closing(db.frames.chunks("conversation_log", rows=10)) as chunks:
            assert len(next(chunks)) == 10
        db.memory("n").remember(asked("kept too"))
    assert list(db.memory("n").log().text) == ["kept", "kept too"]


def test_chunks_closed_after_the_timeout_keep_transaction_usable(
    connect: Connect, sql: psycopg.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = 0.0
    monkeypatch.setattr("draive_pg.database.deadline.monotonic", lambda: time.monotonic() + passed)
    db = connect(dsn, timeout=20.0)
    insert_elements(db, sql, 2500)
    for leave in (True, False):
        with db.transaction():
            tokens = db.configurations.define("limits", {"tokens": leave}).content
            chunks = iter(db.frames.chunks("conversation_log", rows=1000))
            next(chunks)
            passed += 30.0  # the time that the caller takes does not count
            if leave:
                chunks.close()
                assert db.configurations.load_raw("limits") == tokens
        assert db.configurations.load_raw("limits") == tokens


def test_end_of_transaction_closes_its_chunks(db: Client, sql: psycopg.Connection) -> None:
    insert_elements(db, sql, 10_000)
    with db.transaction():
        db.memory("n").remember(asked("kept"))
        chunks = db.frames.chunks("conversation_log", rows=10)
        next(chunks)
    assert list(chunks) == []
    assert list(db.memory("n").log().text) == ["kept"]
    wait_until(lambda: idle(sql))


def test_failed_frame_keeps_transaction_usable(db: Client, sql: psycopg.Connection) -> None:
    with db.transaction():
        db.memory("m").remember(asked("q"))
        with pytest.raises(OperationFailed):
            sql.execute("ALTER TABLE configurations RENAME TO hidden")
            db.frames.configurations()
        sql.execute("ALTER TABLE hidden RENAME TO configurations")
        assert len(db.memory("m").log()) == 1
    assert len(db.memory("m").log()) == 1


# --- Chunks


@pytest.mark.parametrize(
    ("elements", "rows"), [(50, 1), (2500, 999), (2500, 1000), (2500, 2500), (2500, 10_000)]
)
def test_chunks_contain_rows_of_frame(
    db: Client, sql: psycopg.Connection, elements: int, rows: int
) -> None:
    insert_elements(db, sql, elements)
    chunks = list(db.frames.chunks("conversation_log", rows=rows))
    assert {len(chunk) for chunk in chunks[:-1]} <= {rows}
    assert 0 < len(chunks[-1]) <= rows
    whole = db.frames.conversation_log()
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), whole)


def test_chunks_of_empty_result_are_one_empty_frame(db: Client) -> None:
    (chunk,) = db.frames.chunks("tool_calls", identifier="no such one")
    pd.testing.assert_frame_equal(chunk, db.frames.tool_calls())


def test_chunks_accept_filters(db: Client) -> None:
    for identifier in ("a", "b"):
        db.memory(identifier).remember(asked("q"), answered("a"))
    (chunk,) = db.frames.chunks("conversation_log", identifier="b", role="output", columns=["text"])
    assert chunk.to_dict("list") == {"text": ["a"]}
    wrong: dict[str, dict[str, Any]] = {
        "nope": {},
        "sessions": {"role": "input"},
        "variables": {"tool": "find"},
        "conversation_log": {"rows": 0},
        "configurations": {"columns": ["nope"]},
    }
    for name, filters in wrong.items():
        with pytest.raises(ValueError, match=r"no frame|cannot be filtered|rows|column"):
            db.frames.chunks(name, **filters)


@pytest.mark.parametrize("wrong", [{"surprise": 1}, {"any_order": True}, {"frame_": None}])
def test_unknown_filter_error_lists_valid_filters(
    db: Client, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    says = f"frame sessions takes no argument {next(iter(wrong))!r}, "
    says += "only identifier, prefix, variables, since, until, limit, columns, documents"
    for call in (db.frames.chunks, partial(db.frames.export, path=tmp_path / "sessions.csv")):
        with pytest.raises(TypeError) as refused:
            call("sessions", **wrong)
        assert str(refused.value) == says
    assert not list(tmp_path.iterdir())


def test_chunks_closed_early_release_their_connection(
    connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    db = connect(dsn, max_size=1)
    insert_elements(db, sql, 10_000)
    for _ in range(3):
        with closing(db.frames.chunks("conversation_log", rows=10)) as chunks:
            next(chunks)
        wait_until(lambda: idle(sql))
        assert len(db.frames.sessions()) == 1


def test_abandoned_chunks_release_their_connection(dsn: str, sql: psycopg.Connection) -> None:
    async def left(db: AsyncClient) -> int:
        async for chunk in db.frames.chunks("conversation_log", rows=10):
            return len(chunk)
        return 0

    async def main() -> None:
        async with AsyncClient(dsn, max_size=1) as db:
            for _ in range(3):
                assert await left(db) == 10
                assert len(await db.frames.sessions()) == 1

    with Client(dsn) as db:
        insert_elements(db, sql, 10_000)
    asyncio.run(main())


def test_other_tasks_run_while_frame_is_read(dsn: str, sql: psycopg.Connection) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def main() -> None:
        async with AsyncClient(dsn) as db:
            await db.frames.sessions()
            ticking = asyncio.create_task(tick())
            await asyncio.sleep(0)
            before = ticks
            assert len(await db.frames.conversation_log()) == 20_000
            ticking.cancel()
            assert ticks - before > 20  # at least once in each batch of rows

    with Client(dsn) as db:
        insert_elements(db, sql, 20_000)
    asyncio.run(main())


# --- Lost connections and interrupts


def test_frame_is_retried_after_session_is_terminated(
    connect: Connect, dsn: str, sql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from draive_pg.frames.order import Ordered

    db = connect(dsn)
    insert_elements(db, sql, 10_000)
    original_take = Ordered.take
    ends = [1]

    def take(self: Ordered, rows: Rows) -> object:
        if ends.pop() if ends else False:
            terminate_sessions(dsn, wait=False)
        return original_take(self, rows)

    monkeypatch.setattr(Ordered, "take", take)
    assert len(db.frames.conversation_log()) == 10_000
    assert ends == []


def test_chunks_fail_after_session_is_terminated(
    db: Client, dsn: str, sql: psycopg.Connection
) -> None:
    insert_elements(db, sql, 60)
    path = "{blocks,0,parts,0,text}"
    large = "to_jsonb(repeat('x', 1000000))"  # together more than the buffers of a socket
    sql.execute(f"UPDATE memories_elements SET content = jsonb_set(content, '{path}', {large})")
    chunks = db.frames.chunks("conversation_log", rows=1)
    next(chunks)
    terminate_sessions(dsn, wait=False)
    assert_fails(
        ConnectionFailed,
        lambda: list(chunks),
        operation="read frame conversation_log",
        sqlstate="57P01",
        has_sqlstate=False,
    )
    assert len(db.frames.sessions()) == 1


def test_interrupt_cancels_query_and_client_stays_usable(
    connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    db = connect(dsn, max_size=1)
    insert_elements(db, sql, 10)

    def interrupt() -> None:
        wait_for_lock_waiters(dsn, at_least=1)
        os.kill(os.getpid(), signal.SIGINT)

    calls = [
        db.frames.conversation_log,
        lambda: next(db.frames.chunks("conversation_log")),
    ]
    for call in calls:
        with table_locked(dsn, "memories_elements"):
            with in_background(interrupt), pytest.raises(KeyboardInterrupt):
                call()
            wait_until(lambda: idle(sql))
        assert len(db.frames.conversation_log()) == 10
