"""Helpers for tests that run their own servers."""

import os
import resource
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, FunctionType

import psycopg

from tests.cluster import nodes

_LOCK_WAITERS = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()
"""

# Fast, but not durable.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "300",
}


def scratch_directory() -> Path:
    """Create a directory for servers, in memory if there is space; the caller removes it.

    Not pytest's ``tmp_path``, which is inaccessible to the user that servers of root run as.
    """
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30
    path = Path(tempfile.mkdtemp(prefix="pgt-", dir=memory if roomy else "/tmp"))
    path.chmod(0o755)
    return path


@contextmanager
def file_size_limit(size: int) -> Generator[None]:
    """Let this process write no file beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def accepts_connections(dsn: str) -> bool:
    """Return whether the server accepts connections."""
    try:
        psycopg.connect(dsn, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def interrupts_raise_only_in(function: FunctionType) -> Generator[None]:
    """Ignore SIGINT unless a function runs, since an interrupt that is late ends the whole run."""

    def interrupt(_number: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code is function.__code__:
                raise KeyboardInterrupt
            frame = frame.f_back

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def process_exists(pid: int) -> bool:
    """Return whether there is a process with this PID."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def interrupt_main_thread() -> None:
    """Interrupt the main thread as Ctrl-C does, also if it waits for a lock."""
    ident = threading.main_thread().ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGINT)


def wait_until(condition: Callable[[], bool], *, timeout: float = 20.0) -> None:
    """Wait for a condition, and fail after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)


def wait_for_lock_waiters(dsn: str, *, at_least: int) -> int:
    """Wait until at least so many sessions on any node wait for a lock; return their number."""
    with ExitStack() as stack:
        connections = [
            stack.enter_context(psycopg.connect(node, autocommit=True)) for node in nodes(dsn)
        ]
        deadline = time.monotonic() + 20
        while True:
            counts = [connection.execute(_LOCK_WAITERS).fetchall() for connection in connections]
            count = sum(row[0] for (row,) in counts)
            if count >= at_least:
                return count
            assert time.monotonic() < deadline, "timed out"
            time.sleep(0.005)
