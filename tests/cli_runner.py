"""Helpers that run commands in this process (fixture ``shell``) or in a subprocess."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]

# Python that makes warnings errors, except that of haiway 0.35 on Python 3.14.
STRICT_PYTHON = (
    *(sys.executable, "-W", "error"),
    *("-W", "ignore:'asyncio.iscoroutinefunction':DeprecationWarning"),
)


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


type Shell = Callable[..., Result]


def start_process(
    *arguments: object, command: Sequence[str] = ("-m", "draive_pg"), **options: Any
) -> subprocess.Popen[str]:
    """Run a command in a subprocess, with warnings as errors."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [*STRICT_PYTHON, *command, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "TERM": "xterm", "PGBINDIR": "/nonexistent"},
        text=True,
        **{**pipes, **options},
    )


def answer_prompt(*arguments: object, answer: bytes) -> tuple[int, bytes]:
    """Answer the prompt of a command on a terminal, and return its exit code and output."""
    ours, theirs = pty.openpty()
    with start_process(*arguments, stdin=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(ours, 1024)
        os.write(ours, answer)
        code = process.wait(timeout=60)
    os.close(ours)
    return code, shown


def assert_one_line_error(done: Result, *parts: str) -> None:
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("draive-pg: ")
    assert done.err.count("\n") == 1
    for part in parts:
        assert part in done.err


def set_stdin(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    """Replace the standard input of commands."""
    pipe = SimpleNamespace(buffer=io.BytesIO(text), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", pipe)


def assert_ok(done: Result) -> str:
    assert (done.code, done.err) == (0, "")
    return done.out
