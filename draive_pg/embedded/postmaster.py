"""The server process of a data directory.

PostgreSQL writes its process id into two lock files. After a crash or a reboot that id may be of a
zombie or of an unrelated process, so the command of the process is checked before it is used.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from draive_pg.embedded.layout import PORT, Layout

_SOCKET_DIRECTORY = 4  # its line in a lock file


def command(bin_dir: Path, layout: Layout) -> tuple[str | Path, ...]:
    """Return the beginning of the server's command line."""
    return (bin_dir / "postgres", "-D", layout.data, "-p", str(PORT))


def find(layout: Layout) -> int | None:
    """Return the id of the running server process of a data directory, or None."""
    # The socket's lock file remains when the data directory of a running server is deleted.
    for lock_file in (layout.pid_file, layout.socket_lock):
        pid = _recorded(_lines(lock_file))
        if pid is not None and serves(pid, layout):
            return pid
    return None


def serves(pid: int, layout: Layout) -> bool:
    """Return whether a process is the server of this data directory; a zombie is not."""
    arguments = [os.fsencode(argument) for argument in command(Path(), layout)[1:]]
    if Path("/proc/self/cmdline").exists():
        try:
            return b"\0".join(arguments) in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
    listed = subprocess.run(  # noqa: S603 - no shell, and every argument is ours
        ("ps", "-ww", "-o", "command=", "-p", str(pid)),  # noqa: S607 - wherever ps is
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return b" ".join(arguments) in listed.stdout


def mark_stale_locks(layout: Layout) -> None:
    """Mark lock files as stale whose process id belongs to an unrelated process now.

    PostgreSQL takes any process with that id for the old server, except its own parent; so the id
    of this process is written. It still checks shared memory for orphaned backends.
    """
    for lock_file in (layout.pid_file, layout.socket_lock):
        lines = _lines(lock_file)
        pid = _recorded(lines)
        if pid is None or not _exists(pid) or serves(pid, layout):
            continue
        # The lock files of a server that was started by other means are left to PostgreSQL.
        if lines[_SOCKET_DIRECTORY] in ("", str(layout.sockets)):
            lock_file.write_bytes(os.fsencode("\n".join((str(os.getpid()), *lines[1:]))))


def terminate(pid: int, layout: Layout, how: signal.Signals, *, timeout: float) -> bool:
    """Signal the server process; return False if it still runs after ``timeout`` seconds."""
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    deadline = time.monotonic() + timeout
    while serves(pid, layout):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _lines(lock_file: Path) -> list[str]:
    try:
        return os.fsdecode(lock_file.read_bytes()).split("\n")
    except FileNotFoundError:
        return []


def _recorded(lines: list[str]) -> int | None:
    complete = len(lines) > _SOCKET_DIRECTORY and lines[0].isdecimal()
    return int(lines[0]) if complete else None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists, and belongs to another user
    return True
