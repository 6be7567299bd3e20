"""Command lines: run in this process by the fixture ``shell``, or in one of their own."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

__all__ = ("Done", "Shell", "assert_one_line", "ok", "started", "typed")

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


type Shell = Callable[..., Done]


def started(
    *arguments: object, command: Sequence[str] = ("-m", "draive_pg"), **options: object
) -> subprocess.Popen[str]:
    """Run a command line in a process of its own, where warnings are errors."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", *command, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "TERM": "xterm", "PGBINDIR": "/nonexistent"},
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def assert_one_line(done: Done, *parts: str) -> None:
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("draive-pg: ")
    assert done.err.count("\n") == 1
    for part in parts:
        assert part in done.err


def typed(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    """Let the command read this as its standard input."""
    pipe = SimpleNamespace(buffer=io.BytesIO(text), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", pipe)


def ok(done: Done) -> str:
    assert (done.code, done.err) == (0, "")
    return done.out
