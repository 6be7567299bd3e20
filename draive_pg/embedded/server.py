"""The embedded server, as its users see it."""

import os
import signal
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import quote

from psycopg.pq import PGconn, Ping

from draive_pg.embedded import binaries, cluster, postmaster
from draive_pg.embedded.launch import ServerProcess, launch
from draive_pg.embedded.layout import PORT, Layout, default_data
from draive_pg.embedded.locks import FileLock
from draive_pg.embedded.ownership import make_directories
from draive_pg.errors import EmbeddedServerError

__all__ = ("Server",)

_STOP_TIMEOUT = 60.0


class Server:
    """A PostgreSQL on a data directory of one's own, for processes of this machine.

    Whoever needs the server calls `start`: the first one starts it, the others join. Whoever calls
    `stop` leaves, and the last one out stops it. A process that died counts no longer. The server
    listens on a socket that only its user can open, never on a TCP port.

    Parameters
    ----------
    data : Path | str | None
        The data directory, made when missing; None for `default_data`.
    settings : Mapping[str, str] | None
        Settings of PostgreSQL, as ``{"max_connections": "300"}``; where it listens is not theirs
        to change. They take effect when this object starts the server, not when it joins it.
    start_timeout : float
        How long `start` may wait, in seconds: a recovery after a crash can take minutes.

    Notes
    -----
    Nothing is touched before the first use. All methods may be called from any thread. A fork
    inherits the object, but not its use of the server: it calls `start` itself.
    """

    def __init__(
        self,
        data: Path | str | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        start_timeout: float = 600.0,
    ) -> None:
        if start_timeout <= 0:
            raise ValueError(f"start_timeout must be positive, not {start_timeout}")
        self._requested = None if data is None else Path(data).absolute()
        self._settings = dict(settings or {})
        self._start_timeout = start_timeout
        self._users = FileLock()
        self._process: ServerProcess | None = None

    def __repr__(self) -> str:
        data = "default" if self._requested is None else repr(str(self._requested))
        return f"<Server data={data} {'in use' if self._users.held else 'not in use'}>"

    @property
    def data(self) -> Path:
        """The data directory, with links resolved.

        For root it is under ``/var/lib/draive_pg`` if the user whom the server runs as cannot
        enter the one that was asked for.
        """
        return self._layout.data

    @property
    def log(self) -> Path:
        """The server's log, beside the data directory; one older log is kept as ``….log.1``."""
        return self._layout.log

    def uri(self, database: str = "postgres") -> str:
        """The address of a database, for libpq and for asyncpg.

        Parameters
        ----------
        database : str
            The name of the database.
        """
        host = quote(os.fsencode(self._layout.sockets), safe="")
        return f"postgresql:///{quote(database, safe='')}?host={host}&port={PORT}&user=postgres"

    def running(self) -> bool:
        """Whether the server accepts connections now."""
        return self._ping() is Ping.OK

    def pid(self) -> int | None:
        """The id of the server's process, whether it accepts connections yet or not; else None."""
        # A server writes its lock files only a moment after it was launched.
        if self._process is not None and not self._process.exited:
            return self._process.pid
        return postmaster.find(self._layout)

    def start(self) -> Self:
        """Start the server, or join it if it runs, and wait until it accepts connections.

        May be called again at any time, and brings a server up again that was killed.

        Raises
        ------
        EmbeddedServerError
            There is no PostgreSQL, the data directory cannot be used, or the server did not
            come up in time; a recovery then goes on, and a later call can wait for its end.
        """
        deadline = time.monotonic() + self._start_timeout
        with self._explained("start"):
            layout = self._layout
            bin_dir = binaries.within_reach(binaries.find(), layout.owner)
            make_directories(layout.data.parent)
            with FileLock().exclusive(layout.lock, layout.owner, timeout=self._start_timeout):
                cluster.prepare(layout, bin_dir)
                self._join(bin_dir, deadline)
        return self

    def keep(self) -> None:
        """Let the server that runs now outlive its users, until `unkeep` or a forced `stop`.

        A server that is started again after a crash or a reboot is not kept.

        Raises
        ------
        EmbeddedServerError
            It does not run.
        """
        layout = self._layout
        if (pid := self.pid()) is None:
            raise EmbeddedServerError(f"PostgreSQL on {layout.data} does not run: start it first")
        with self._explained("keep"), os.fdopen(layout.owner.open(layout.kept), "r+") as kept:
            kept.truncate(0)
            kept.write(str(pid))

    def unkeep(self) -> None:
        """Let the last user stop the server again."""
        with self._explained("unkeep"):
            self._layout.kept.unlink(missing_ok=True)

    def stop(self, *, force: bool = False) -> bool:
        """Leave the server, and stop it if nobody else uses it and it is not kept.

        Parameters
        ----------
        force : bool
            Stop it even if others use it, or if this object does not.

        Returns
        -------
        bool
            Whether this call stopped the server.

        Raises
        ------
        EmbeddedServerError
            The server was told to stop, and is still there after a minute.
        """
        if not (force or self._users.held):
            return False
        try:
            with self._explained("stop"):
                return self._layout.lock.exists() and self._leave(force=force)
        finally:
            self._users.release()

    @cached_property
    def _layout(self) -> Layout:
        return Layout.of(self._requested or default_data())

    @contextmanager
    def _explained(self, action: str) -> Generator[None]:
        try:
            yield
        except OSError as exc:
            raise EmbeddedServerError(
                f"could not {action} PostgreSQL on {self._requested or 'the default directory'}: "
                f"{exc}; if that cannot be changed, use another data directory"
            ) from exc

    def _join(self, bin_dir: Path, deadline: float) -> None:
        self._users.share(self._layout.users, self._layout.owner)
        try:
            self._await_connections(bin_dir, deadline)
        except BaseException:
            # While the server still comes up it keeps this user, whose stop() will end it.
            if self.pid() is None:
                self._users.release()
            raise

    def _await_connections(self, bin_dir: Path, deadline: float) -> None:
        launched: ServerProcess | None = None
        pause = 0.01
        while (answer := self._ping()) is not Ping.OK:
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"PostgreSQL on {self.data} did not accept connections within "
                    f"{self._start_timeout:g} s, and may still be recovering: see {self.log}"
                )
            if answer is Ping.NO_RESPONSE and self.pid() is None:
                if launched is not None:
                    self._check_exit(launched)
                self._process = launched = launch(self._layout, bin_dir, self._settings)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def _check_exit(self, process: ServerProcess) -> None:
        reason = process.last_words()
        # Sessions of a killed server can outlive it for a moment: then it is tried again.
        if "shared memory block" not in reason:
            raise EmbeddedServerError(
                f"PostgreSQL did not start on {self.data}: {reason} (see {self.log})"
            )

    def _ping(self) -> Ping:
        # An empty hostaddr outdoes $PGHOSTADDR, which would lead to another server.
        answer = Ping(PGconn.ping(f"{self.uri()}&hostaddr=&connect_timeout=2".encode()))
        if answer is Ping.NO_ATTEMPT:
            raise EmbeddedServerError(
                f"libpq cannot connect to {self.uri()}: check the PG… environment variables"
            )
        return answer

    def _kept(self) -> bool:
        try:
            return self._layout.kept.read_text() == str(self.pid())
        except FileNotFoundError:
            return False

    def _leave(self, *, force: bool) -> bool:
        layout = self._layout
        try:
            with FileLock().exclusive(layout.lock, layout.owner, timeout=_STOP_TIMEOUT):
                alone = not self._kept() and self._users.upgrade()
                return (force or alone) and self._shut_down()
        except TimeoutError:
            return False  # who holds the lock for so long is starting the server, to use it

    def _shut_down(self) -> bool:
        pid = self.pid()
        if pid is None:
            return False
        # SIGINT is PostgreSQL's fast shutdown: it ends the sessions and writes a checkpoint.
        if not postmaster.terminate(pid, self._layout, signal.SIGINT, timeout=_STOP_TIMEOUT):
            raise EmbeddedServerError(
                f"PostgreSQL on {self.data} (process {pid}) did not stop within "
                f"{_STOP_TIMEOUT:g} s: see {self.log}"
            )
        self.unkeep()
        with suppress(OSError):
            self._layout.sockets.rmdir()
        return True
