"""Interrupted and rolled-back transactions: no hang, no lost edit, no log messages."""

import gc
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from draive_pg import Client
from tests.elements import asked


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


def interrupted_at(number: int, function: Callable[[], None]) -> bool:
    """Interrupt a function when it makes a call, and return whether it makes that many."""
    calls = 0

    def trace(_frame: FrameType, _event: str, _argument: object) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise KeyboardInterrupt

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(previous)
    return False


def test_calls_work_after_interrupt_at_any_call_of_nested_transactions(dsn: str) -> None:
    def nested() -> None:
        with db.transaction(), db.transaction():
            pass

    gc.collect()
    gc.disable()  # nothing may wait for a collection
    try:
        with Client(dsn, max_size=1, cache_limit=0) as db:
            db.memory("m").remember(asked("q"))
            number = 1
            while interrupted_at(number, nested):
                assert db.memories.count() == 1
                number += 1
    finally:
        gc.enable()
    assert number > 50


def test_error_keeps_exception_context_of_caller(dsn: str) -> None:
    with Client(dsn) as db, pytest.raises(TypeError) as raised:
        try:
            raise KeyError("a")
        except KeyError:
            db.instructions.define("a", content=1)  # pyright: ignore[reportArgumentType]
    assert isinstance(raised.value.__context__, KeyError)
    assert not raised.value.__suppress_context__
