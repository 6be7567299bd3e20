"""Interrupted and rolled-back transactions: no hang, no lost edit, no log messages."""

import gc
import random
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import CodeType
from typing import NoReturn

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from draive_pg import Client, ConnectionFailed
from draive_pg.database import _sync
from tests.elements import asked
from tests.fault_server import limited


def test_rolled_back_push_is_not_recorded_in_folder(dsn: str, tmp_path: Path) -> None:
    with Client(dsn) as db:
        db.instructions.define("a", content="v1")
        db.instructions.pull(tmp_path)
        (tmp_path / "a.md").write_text("edited")
        with pytest.raises(RuntimeError), db.transaction():
            db.instructions.push(tmp_path)
            raise RuntimeError
        assert [each.change for each in db.instructions.status(tmp_path).changes] == [
            "changed in folder"
        ]
        db.instructions.pull(tmp_path)
        assert (tmp_path / "a.md").read_text() == "edited"
        with db.transaction():
            db.instructions.push(tmp_path)
        assert not db.instructions.status(tmp_path).drift


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals need the main thread"
)
def test_transactions_work_after_interrupts_at_random_times(
    dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(1)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with Client(dsn, max_size=2, cache_limit=0) as db:
            for number in range(60):
                with pytest.raises(KeyboardInterrupt):
                    signal.setitimer(signal.ITIMER_REAL, 0.0001 + chance.random() * 0.008)
                    while True:
                        with db.transaction():
                            db.instructions.define("a", content=str(number))
                            db.memories.count()
            with db.transaction():
                assert db.memories.count() == 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert "error ignored terminating" not in caplog.text


def interrupted_at(function: Callable[[], object], *at: int | str) -> bool:
    """Interrupt a function at each of some calls that it makes.

    Parameters
    ----------
    function : callable
        The function.
    *at : int | str
        The number of a call, counted from the last interrupt, or the name of what is called.

    Returns
    -------
    bool
        Whether it makes all of these calls.
    """
    calls, due, thread = 0, list(reversed(at)), threading.get_ident()

    def interrupt(code: CodeType, _offset: int) -> None:
        nonlocal calls
        if threading.get_ident() == thread:
            calls += 1
            if due and due[-1] in (calls, code.co_name):
                calls = 0
                due.pop()
                raise KeyboardInterrupt

    monitoring, tool = sys.monitoring, sys.monitoring.DEBUGGER_ID
    monitoring.use_tool_id(tool, "interrupts")
    monitoring.register_callback(tool, monitoring.events.PY_START, interrupt)
    monitoring.set_events(tool, monitoring.events.PY_START)
    try:
        function()
    except KeyboardInterrupt:
        assert len(due) < len(at)
    else:
        assert len(due) == len(at)
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
    return not due


@contextmanager
def no_garbage_collection() -> Generator[None]:
    """Collect no garbage in the block, in which nothing may wait for that."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_calls_work_after_interrupt_at_any_call_of_nested_transactions(dsn: str) -> None:
    def nested() -> None:
        with db.transaction(), db.transaction():
            pass

    with no_garbage_collection(), Client(dsn, max_size=1, cache_limit=0) as db:
        db.memory("m").remember(asked("q"))
        number = 1
        while interrupted_at(nested, number):
            assert db.memories.count() == 1
            number += 1
    assert number > 50


def test_interrupted_end_of_frame_does_not_keep_rolled_back_writes(dsn: str) -> None:
    with Client(dsn) as db:
        with db.transaction():
            with pytest.raises(RuntimeError), db.transaction():
                db.instructions.define("a", content="x")
                assert interrupted_at(db.frames.sessions, "receive_rows", "_run")
                raise RuntimeError
            db.instructions.define("b", content="x")
        assert [each.name for each in db.instructions.list()] == ["b"]


def test_nested_transaction_whose_rollback_is_interrupted_is_not_committed(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> NoReturn:
        raise KeyboardInterrupt

    with Client(dsn) as db:
        with (
            pytest.raises(ConnectionFailed, match="the connection was lost"),
            db.transaction(),
            monkeypatch.context() as patched,
            suppress(KeyboardInterrupt),
            db.transaction(),
        ):
            db.memory("m").remember(asked("q"))
            patched.setattr(_sync, "is_open", interrupted)  # when it is rolled back
            raise RuntimeError
        assert db.memories.count() == 0


def test_second_interrupt_at_any_call_is_no_other_error(dsn: str) -> None:
    with no_garbage_collection(), Client(dsn, max_size=1, cache_limit=0) as db:
        assert db.memories.count() == 0
        number = 1
        while interrupted_at(lambda: db.memory("m").recall(), "receive", number):
            assert db.memories.count() == 0
            number += 1
    assert number > 20


@pytest.mark.parametrize("kind", ["connection", "pool"])
def test_interrupted_call_returns_lent_connection(dsn: str, kind: str) -> None:
    with (
        psycopg.connect(dsn) if kind == "connection" else ConnectionPool(dsn, min_size=1) as pool,
        no_garbage_collection(),
    ):
        db = Client(pool=pool, cache_limit=0)
        assert db.memories.count() == 0
        for call in ("borrow", "acquire", "release", "_close_unless_clean", "is_reusable"):
            assert interrupted_at(db.memories.count, call), call
            with limited(db, 1.0):
                assert db.memories.count() == 0


def test_error_keeps_exception_context_of_caller(dsn: str) -> None:
    with Client(dsn) as db, pytest.raises(TypeError) as raised:
        try:
            raise KeyError("a")
        except KeyError:
            db.instructions.define("a", content=1)  # pyright: ignore[reportArgumentType]
    assert isinstance(raised.value.__context__, KeyError)
    assert not raised.value.__suppress_context__
