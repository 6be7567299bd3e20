"""The files of a server."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import platformdirs

from draive_pg.embedded import binaries
from draive_pg.embedded.ownership import SHARED, Owner, nearest
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
        the user's data directory of the platform, or for root under ``/var/lib/draive_pg`` if
        the user that runs the server cannot enter that directory.

    Raises
    ------
    EmbeddedServerError
        If there is no PostgreSQL on this machine, or ``$DRAIVE_PG_HOME`` is not a path.
    """
    name = f"pg{binaries.major(binaries.find())}"
    if chosen := os.environ.get("DRAIVE_PG_HOME"):
        try:
            return Path(chosen).expanduser().absolute() / name
        except RuntimeError as exc:
            raise EmbeddedServerError(f"DRAIVE_PG_HOME={chosen:.200} is no path: {exc}") from exc
    data = platformdirs.user_data_path("draive_pg", appauthor=False).absolute() / name
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        shared = SHARED / f"{name}-{_digest(data.resolve())}"
        if shared.exists() or not Owner.of(data).can_enter(nearest(data)):
            return shared
    return data


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one server, beside its data directory.

    Attributes
    ----------
    data : Path
        The data directory.
    owner : Owner
        The user that runs the server and owns its files.
    keeper : Owner
        The user that accesses the files beside the data directory: root if only root can change
        the directories above, else the owner.
    """

    data: Path
    owner: Owner
    keeper: Owner

    @classmethod
    def of(cls, data: Path) -> Self:
        """Return the layout of a data directory.

        Raises
        ------
        EmbeddedServerError
            If the user that runs the server for root cannot enter its parent directories.
        """
        data = data.resolve()
        owner = Owner.of(data)
        parent = nearest(data.parent)
        if not owner.can_enter(parent):
            raise EmbeddedServerError(
                f"the user {owner.uid}, who runs PostgreSQL for root, cannot enter {parent}: "
                f"allow it (chmod a+x), or use another data directory than {data}"
            )
        trusted = owner.other and all(map(_only_root_changes, (parent, *parent.parents)))
        return cls(data, owner, Owner.current() if trusted else owner)

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


def _only_root_changes(directory: Path) -> bool:
    status = directory.stat()
    return status.st_uid == 0 and (
        not status.st_mode & 0o022 or bool(status.st_mode & stat.S_ISVTX)
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
