"""Start the server process."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from draive_pg.embedded import postmaster
from draive_pg.embedded.forks import no_forks
from draive_pg.embedded.layout import Layout
from draive_pg.embedded.ownership import Owner, environment
from draive_pg.errors import EmbeddedServerError

_LOG_LIMIT = 10 * 2**20  # bytes
_SUPERVISOR = Path(__file__).with_name("supervisor.py")


@dataclass(frozen=True, slots=True)
class Launch:
    """One attempt to start a server.

    Attributes
    ----------
    pid : int | None
        The id of the server process; None if it has exited at once.
    layout : Layout
        The files of the server.
    log_start : int
        The size of the log before the attempt.
    """

    pid: int | None
    layout: Layout
    log_start: int

    def failed(self) -> bool:
        """Return whether the process has exited."""
        return self.pid is None or not postmaster.exists(self.pid)

    def reasons(self) -> Sequence[str]:
        """Return the reasons for the exit from the log, and lines of its end if there are none.

        Sessions of a killed server may write to the same log when they end.
        """
        with os.fdopen(self.layout.owner.open(self.layout.log), "rb") as log:
            log.seek(self.log_start)
            text = log.read().decode(errors="replace")
        reasons: list[str] = re.findall(
            r"(?:FATAL|PANIC|HINT): ++(?!terminating connection)(.+)", text
        )
        return reasons or text.splitlines()[-2:]


def launch(layout: Layout, bin_dir: Path, settings: Mapping[str, str]) -> Launch:
    """Start the server of a data directory, without waiting; the caller holds the lock."""
    if getattr(sys, "frozen", False) or not sys.executable:
        raise EmbeddedServerError(
            "the embedded server needs a Python interpreter, which a frozen program does not have: "
            "set DRAIVE_PG_DSN to the address of a server"
        )
    _make_private(layout.sockets, layout.owner)
    postmaster.mark_stale_locks(layout)
    _rotate(layout.log)
    files = (layout.lock, layout.users, layout.kept)
    server = (*postmaster.command(bin_dir, layout), *_options(layout, settings))
    # Isolated and without site-packages: it needs only the standard library, not PYTHONPATH.
    python = (sys.executable, "-I", "-S", _SUPERVISOR)
    with os.fdopen(layout.owner.open(layout.log), "ab") as log, Owner.current().acting(), no_forks:
        log_start = os.fstat(log.fileno()).st_size
        started = subprocess.run(  # noqa: S603 - no shell, and every argument is ours
            (*python, str(layout.owner.uid), str(layout.owner.gid), *files, *server),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            check=False,
            start_new_session=True,  # Ctrl-C in a terminal must not reach it
            cwd="/",
            env=environment(),
        )
    return Launch(int(started.stdout) if started.stdout else None, layout, log_start)


def _options(layout: Layout, settings: Mapping[str, str]) -> Iterator[str]:
    quoted = str(layout.sockets).replace('"', '""')
    effective = {
        "timezone": "UTC",
        **settings,
        "lc_messages": "C",  # errors are recognized by their English text
        "listen_addresses": "",
        "unix_socket_directories": f'"{quoted}"',
    }
    for name, value in effective.items():
        yield from ("-c", f"{name}={value}")


def _make_private(directory: Path, owner: Owner) -> None:
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
        owner.give(directory)
    status = directory.lstat()
    private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
    if not private or status.st_uid != owner.uid:
        raise EmbeddedServerError(
            f"{directory} must be a directory of the user {owner.uid} that nobody else can enter "
            "(mode 700): remove it"
        )


def _rotate(log: Path) -> None:
    with suppress(FileNotFoundError):
        if log.lstat().st_size > _LOG_LIMIT:
            log.replace(log.with_name(f"{log.name}.1"))
