"""The public interface of the embedded server."""

import os
import signal
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo, PGconn, Ping

from draive_pg.embedded import binaries, data_directory, postmaster
from draive_pg.embedded.launch import Launch, launch
from draive_pg.embedded.layout import PORT, Layout, default_data
from draive_pg.embedded.locks import FileLock
from draive_pg.embedded.ownership import make_directories
from draive_pg.errors import EmbeddedServerError

_STOP_TIMEOUT = 60.0

# Parameters of libpq that environment variables or a service file may set for other servers.
_PARAMETERS = {
    "hostaddr": "",
    "options": "",
    "requirepeer": "",
    "require_auth": "",
    "sslmode": "disable",
    "sslnegotiation": "postgres",
    "sslcertmode": "disable",
    "sslrootcert": "",
    "gssencmode": "disable",
    "channel_binding": "disable",
    "target_session_attrs": "any",
    "min_protocol_version": "3.0",
}


class Server:
    """A PostgreSQL server for the processes of one user on this machine.

    The first process that calls `start` starts it, and the others join it. The last one that calls
    `stop` stops it. If it ends without `stop`, or its object is garbage-collected, a small
    supervising process stops the server. The server listens on a Unix socket that only its user can
    open, never on a TCP port.

    Parameters
    ----------
    data : Path | str | None
        The data directory, created if missing; None: `default_data`.
    settings : Mapping[str, str] | None
        PostgreSQL settings such as ``{"max_connections": "300"}``, except the listening address.
        They take effect when this object starts the server, not when it joins it.
    start_timeout : float
        The most seconds that `start` waits: a recovery after a crash can take minutes.

    Notes
    -----
    The constructor does no I/O. All methods may be called from any thread. A forked process
    inherits the object, but must call `start` itself.
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

    def __repr__(self) -> str:
        data = "default" if self._requested is None else repr(str(self._requested))
        return f"<Server data={data} {'in use' if self._users.held else 'not in use'}>"

    @property
    def data(self) -> Path:
        """The data directory, with links resolved."""
        return self._layout.data

    @property
    def log(self) -> Path:
        """The server's log, beside the data directory; the older one is ``….log.1``."""
        return self._layout.log

    def uri(self, database: str = "postgres") -> str:
        """Return the URI of a database, for libpq and asyncpg.

        Parameters
        ----------
        database : str
            The name of the database.
        """
        host = quote(os.fsencode(self._layout.sockets), safe="")
        return f"postgresql:///{quote(database, safe='')}?host={host}&port={PORT}&user=postgres"

    def conninfo(self, database: str = "postgres") -> str:
        """Return a connection string for libpq that no environment variable or service file alters.

        Parameters
        ----------
        database : str
            The name of the database.
        """
        known = {option.keyword.decode() for option in Conninfo.get_defaults()}
        fixed = {name: value for name, value in _PARAMETERS.items() if name in known}
        return make_conninfo("", **{**conninfo_to_dict(self.uri(database)), **fixed})

    def running(self) -> bool:
        """Return whether the server accepts connections now."""
        return self._ping() is Ping.OK

    def pid(self) -> int | None:
        """Return the id of the server's process, even if it accepts no connections yet, or None."""
        return postmaster.find(self._layout)

    def start(self) -> Self:
        """Start the server, or join it if it runs, and wait until it accepts connections.

        It can be called again at any time, and restarts a server that was killed.

        Raises
        ------
        EmbeddedServerError
            If there is no PostgreSQL, the data directory cannot be used, or the server does not
            accept connections in time. A recovery continues, and a later call can wait for it.
        """
        deadline = time.monotonic() + self._start_timeout
        with self._explained("start"):
            layout = self._layout
            bin_dir = binaries.within_reach(binaries.find(), layout.owner)
            with layout.keeper.acting():
                make_directories(layout.data.parent)
                with FileLock().exclusive(layout.lock, layout.owner, timeout=self._start_timeout):
                    data_directory.prepare(layout, bin_dir)
                    self._join(bin_dir, deadline)
        return self

    def keep(self) -> None:
        """Keep the running server when its last user leaves, until `unkeep` or a forced `stop`.

        A server that is restarted after a crash or a reboot is not kept.

        Raises
        ------
        EmbeddedServerError
            If it does not run.
        """
        layout = self._layout
        if (pid := self.pid()) is None:
            raise EmbeddedServerError(f"PostgreSQL on {layout.data} does not run: start it first")
        with (
            self._explained("keep"),
            layout.keeper.acting(),
            os.fdopen(layout.owner.open(layout.kept), "r+") as kept,
        ):
            kept.truncate(0)
            kept.write(str(pid))

    def unkeep(self) -> None:
        """Undo `keep`."""
        with self._explained("unkeep"), self._layout.keeper.acting():
            self._layout.kept.unlink(missing_ok=True)

    def stop(self, *, force: bool = False) -> bool:
        """Stop using the server; shut it down if no other process uses it and it is not kept.

        Parameters
        ----------
        force : bool
            Shut it down even if others use it, or if this object does not.

        Returns
        -------
        bool
            True if this call shut the server down; False also if another process did.

        Raises
        ------
        EmbeddedServerError
            If the server still runs after a minute.
        """
        if not (force or self._users.held):
            return False
        try:
            with self._explained("stop"), self._layout.keeper.acting():
                return self._layout.lock.exists() and self._leave(force=force)
        finally:
            self._users.release()

    @cached_property
    def _layout(self) -> Layout:
        if not hasattr(os, "geteuid"):
            raise EmbeddedServerError(
                "the embedded server runs on Linux and macOS only: set DRAIVE_PG_DSN to the "
                "address of a server"
            )
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
            # A server that still starts keeps this user, whose stop() will shut it down.
            if self.pid() is None:
                self._users.release()
            raise

    def _await_connections(self, bin_dir: Path, deadline: float) -> None:
        launched: Launch | None = None
        pause = 0.01
        while (answer := self._ping()) is not Ping.OK:
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"PostgreSQL on {self.data} did not accept connections within "
                    f"{self._start_timeout:g} s, and may still be recovering: see {self.log}"
                )
            stopped = answer is Ping.NO_RESPONSE and self.pid() is None
            if stopped and (launched is None or self._failed(launched)):
                launched = launch(self._layout, bin_dir, self._settings)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def _failed(self, launched: Launch) -> bool:
        """Return whether the server exited, but may start at the next attempt."""
        if not launched.failed():
            return False  # it has not written its process id yet
        reasons = launched.reasons()
        # Sessions of a killed server can outlive it for a moment.
        if not any("shared memory block" in each for each in reasons):
            raise EmbeddedServerError(
                f"PostgreSQL did not start on {self.data}: {' '.join(reasons[-2:])} "
                f"(see {self.log})"
            )
        return True

    def _ping(self) -> Ping:
        answer = Ping(PGconn.ping(f"{self.conninfo()} connect_timeout=2".encode()))
        if answer is Ping.NO_ATTEMPT:
            raise EmbeddedServerError(
                f"libpq cannot connect to {self.uri()}: check the variable PGSERVICE and its file"
            )
        return answer

    def _leave(self, *, force: bool) -> bool:
        layout = self._layout
        try:
            with FileLock().exclusive(layout.lock, layout.owner, timeout=_STOP_TIMEOUT):
                kept = layout.owner.read(layout.kept) == str(self.pid())
                alone = not kept and self._users.upgrade()
                return (force or alone) and self._shut_down()
        except TimeoutError:
            return False  # another process is starting the server, to use it

    def _shut_down(self) -> bool:
        pid = self.pid()
        if pid is None:
            return False
        # SIGINT: fast shutdown, which ends the sessions and writes a checkpoint.
        if not postmaster.terminate(pid, self._layout, signal.SIGINT, timeout=_STOP_TIMEOUT):
            raise EmbeddedServerError(
                f"PostgreSQL on {self.data} (process {pid}) did not stop within "
                f"{_STOP_TIMEOUT:g} s: see {self.log}"
            )
        self.unkeep()
        with suppress(OSError):
            self._layout.sockets.rmdir()
        return True
