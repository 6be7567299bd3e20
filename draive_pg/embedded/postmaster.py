"""The server process of a data directory.

PostgreSQL writes its process id into two lock files. After a crash or a reboot that id may be of a
zombie or of an unrelated process, so the process is checked before it is used.
"""

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from draive_pg.embedded.forks import no_forks
from draive_pg.embedded.layout import PORT, Layout

_SOCKET_DIRECTORY = 4  # its line in a lock file
_NO_PROCESS = 2**31 - 1  # beyond the process ids of every system


def command(bin_dir: Path, layout: Layout) -> tuple[str | Path, ...]:
    """Return the beginning of the server's command line."""
    return (bin_dir / "postgres", "-D", layout.data, "-p", str(PORT))


def find(layout: Layout) -> int | None:
    """Return the id of the running server process of a data directory, or None."""
    # The socket's lock file remains when the data directory of a running server is deleted.
    with layout.owner.acting():
        for lock_file in (layout.pid_file, layout.socket_lock):
            pid = _recorded((layout.owner.read(lock_file) or "").split("\n"))
            if pid is not None and serves(pid, layout):
                return pid
    return None


def serves(pid: int, layout: Layout) -> bool:
    """Return whether a process is the server of this data directory; a zombie is not."""
    arguments = [os.fsencode(argument) for argument in command(Path(), layout)[1:]]
    process = Path(f"/proc/{pid}")
    if Path("/proc/self/cmdline").exists():
        try:
            owned = process.stat().st_uid == layout.owner.uid
            return owned and b"\0".join(arguments) in (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
    with no_forks:
        listed = subprocess.run(  # noqa: S603 - no shell, and every argument is ours
            ("ps", "-ww", "-o", "command=", "-p", str(pid)),  # noqa: S607 - wherever ps is
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    return b" ".join(arguments) in listed.stdout


def mark_stale_locks(layout: Layout) -> None:
    """Mark lock files that PostgreSQL would refuse although there is no server.

    These are incomplete files, and files whose process id belongs to an unrelated process now. They
    get the id of no process; PostgreSQL still checks shared memory for orphaned sessions.
    """
    with layout.owner.acting():
        for lock_file in (layout.pid_file, layout.socket_lock):
            with suppress(FileNotFoundError):
                descriptor = layout.owner.open(lock_file, os.O_RDWR)
                with os.fdopen(descriptor, "r+b") as file:
                    lines = os.fsdecode(file.read()).split("\n")
                    if _is_stale(lines, layout):
                        file.seek(0)
                        file.write(os.fsencode("\n".join((str(_NO_PROCESS), *lines[1:]))))
                        file.truncate()


def _is_stale(lines: list[str], layout: Layout) -> bool:
    pid = _recorded(lines)
    if pid is None:
        return True
    # The lock files of a server that was started by other means are left to PostgreSQL.
    ours = lines[_SOCKET_DIRECTORY] in ("", str(layout.sockets))
    return ours and exists(pid) and not serves(pid, layout)


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


def exists(pid: int) -> bool:
    """Return whether there is a process with this id, even a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists, and belongs to another user
    return True


def _recorded(lines: list[str]) -> int | None:
    complete = len(lines) > _SOCKET_DIRECTORY and re.fullmatch("[1-9][0-9]{0,9}", lines[0])
    return int(lines[0]) if complete and int(lines[0]) < _NO_PROCESS else None
