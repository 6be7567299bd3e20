"""Start the server process."""

import os
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread

from draive_pg.embedded import postmaster
from draive_pg.embedded.layout import Layout
from draive_pg.embedded.ownership import Owner
from draive_pg.errors import EmbeddedServerError

_LOG_LIMIT = 10 * 2**20  # bytes


class ServerProcess:
    """A server process that this process has started; it is reaped when it exits.

    Attributes
    ----------
    pid : int
        Its process id.
    """

    def __init__(self, process: subprocess.Popen[bytes], *, log: Path, log_start: int) -> None:
        self.pid = process.pid
        self._process = process
        self._log = log
        self._log_start = log_start
        Thread(target=process.wait, name="draive_pg-reaper", daemon=True).start()

    @property
    def exited(self) -> bool:
        """Whether the process has exited (`/proc` cannot tell a zombie from one just started)."""
        return self._process.poll() is not None

    def exit_reason(self) -> str:
        """Return the reason for the exit from the log, on one line."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace")
        reasons: list[str] = re.findall(r"(?:FATAL|PANIC|HINT): +(.+)", text)
        return " ".join((reasons or text.splitlines())[-2:])


def launch(layout: Layout, bin_dir: Path, settings: Mapping[str, str]) -> ServerProcess:
    """Start the server of a data directory, without waiting; the caller holds the lock."""
    _make_private(layout.sockets, layout.owner)
    postmaster.mark_stale_locks(layout)
    _rotate(layout.log)
    output = layout.owner.open(layout.log)
    try:
        log_start = os.fstat(output).st_size
        command = (*postmaster.command(bin_dir, layout), *_options(layout, settings))
        process = layout.owner.spawn(command, output=output)
    finally:
        os.close(output)
    return ServerProcess(process, log=layout.log, log_start=log_start)


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
        if log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_name(f"{log.name}.1"))
