"""The files of a server."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import platformdirs

from draive_pg.embedded import binaries
from draive_pg.embedded.ownership import SHARED, Owner
from draive_pg.errors import EmbeddedServerError

PORT = 5432  # used only in the name of the socket
_SOCKET = f".s.PGSQL.{PORT}"
_SOCKET_LIMIT = 103  # bytes of a socket's path: macOS takes 104 with the final NUL, Linux 108


def default_data() -> Path:
    """Return the default data directory.

    Returns
    -------
    Path
        ``$DRAIVE_PG_HOME/pg18`` for PostgreSQL 18; without ``$DRAIVE_PG_HOME``, the same under
        the user's data directory of the platform.

    Raises
    ------
    EmbeddedServerError
        If there is no PostgreSQL on this machine.
    """
    chosen = os.environ.get("DRAIVE_PG_HOME")
    home = Path(chosen) if chosen else platformdirs.user_data_path("draive_pg", appauthor=False)
    return home.expanduser().absolute() / f"pg{binaries.major(binaries.find())}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one server, beside its data directory.

    Attributes
    ----------
    data : Path
        The data directory.
    owner : Owner
        The user that runs the server and owns its files.
    """

    data: Path
    owner: Owner

    @classmethod
    def of(cls, data: Path) -> Self:
        """Return the layout for a data directory; for root it may be another directory."""
        data = data.resolve()
        owner = Owner.of(data)
        if owner.can_enter(_nearest(data.parent)):
            return cls(data, owner)
        if (data / "PG_VERSION").exists():
            raise EmbeddedServerError(
                f"{data} belongs to the user {owner.uid}, who cannot enter its parent directories: "
                "work as a user who can, or use another data directory"
            )
        data = SHARED / f"{data.name}-{_digest(data)}"
        return cls(data, Owner.of(data))

    @property
    def version(self) -> Path:
        """The file that names the major version of the data."""
        return self.data / "PG_VERSION"

    @property
    def pid_file(self) -> Path:
        """PostgreSQL's lock file of the data directory."""
        return self.data / "postmaster.pid"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._beside(f"{self.data.name}.log")

    @property
    def lock(self) -> Path:
        """Lock file, held exclusively while the server is started or stopped."""
        return self._beside(f".{self.data.name}.lock")

    @property
    def users(self) -> Path:
        """Lock file, held in shared mode by all processes that use the server."""
        return self._beside(f".{self.data.name}.users")

    @property
    def kept(self) -> Path:
        """File with the id of a server process that is kept when its last user leaves."""
        return self._beside(f".{self.data.name}.kept")

    @property
    def draft(self) -> str:
        """Prefix of the temporary directories in which data directories are created."""
        return f".{self.data.name}.init-"

    @property
    def sockets(self) -> Path:
        """The directory of the server's socket."""
        # Not in the data directory, where backups would find the socket's lock file.
        beside = self._beside(f"{self.data.name}.sock")
        if len(os.fsencode(beside / _SOCKET)) <= _SOCKET_LIMIT and "," not in str(beside):
            return beside
        # libpq splits hosts at commas. Not $TMPDIR: all processes must agree on the place.
        return Path(f"/tmp/pg-{self.owner.uid}-{_digest(self.data)}")  # noqa: S108 - see above

    @property
    def socket_lock(self) -> Path:
        """PostgreSQL's lock file of the socket."""
        return self.sockets / f"{_SOCKET}.lock"

    def _beside(self, name: str) -> Path:
        return self.data.with_name(name)


def _nearest(path: Path) -> Path:
    return path if path.exists() else _nearest(path.parent)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
