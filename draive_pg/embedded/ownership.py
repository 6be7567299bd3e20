"""The operating system user that the server runs as.

An ordinary user runs it as themselves. PostgreSQL refuses to run as root: then another user does,
who must be able to enter the directories. Nothing that this package did not make is ever chmodded
or chowned to allow that.
"""

import os
import pwd
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict

from draive_pg.errors import EmbeddedServerError

__all__ = (
    "SHARED",
    "Owner",
    "make_directories",
)

# Where root keeps what another user must reach.
SHARED = Path("/var/lib/draive_pg")


class _Credentials(TypedDict, total=False):
    user: int
    group: int
    extra_groups: Sequence[int]


@dataclass(frozen=True, slots=True)
class Owner:
    """A user, by numbers: the owner of the data directory and of its server.

    Attributes
    ----------
    uid, gid : int
        The user and the group.
    """

    uid: int
    gid: int

    @classmethod
    def current(cls) -> Self:
        """The user of this process."""
        return cls(os.geteuid(), os.getegid())

    @classmethod
    def of(cls, data: Path) -> Self:
        """The user to run the server of ``data`` as.

        For root: whoever owns the directory, else ``postgres``, else ``nobody``.
        """
        current = cls.current()
        if current.uid != 0:
            return current
        with suppress(FileNotFoundError):
            status = data.stat()
            if status.st_uid != 0:
                return cls(status.st_uid, status.st_gid)
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                user = pwd.getpwnam(name)
                return cls(user.pw_uid, user.pw_gid)
        raise EmbeddedServerError(
            "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' "
            "to run it as: make one, or work as an ordinary user"
        )

    @property
    def other(self) -> bool:
        """Whether this is not the user of this process."""
        return self.uid != os.geteuid()

    def give(self, path: Path) -> None:
        """Hand over a path that this process has made."""
        if self.other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def open(self, path: Path) -> int:
        """Open a file of the owner for appending, made if missing; returns its descriptor."""
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW
        # Not O_CREAT alone: in a sticky directory Linux refuses it to root on another user's file.
        with suppress(FileExistsError):
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, mode=0o600)
            if self.other:
                os.fchown(descriptor, self.uid, self.gid)
            return descriptor
        return os.open(path, flags)

    def can_enter(self, path: Path) -> bool:
        """Whether the owner may execute the file, or enter the directory."""
        return not self.other or self.run(("test", "-x", path)).returncode == 0

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a command as the owner, and return what it said."""
        return subprocess.run(  # noqa: S603 - no shell, and every argument is ours
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            cwd="/",
            env=_environment(),
            **self._credentials(),
        )

    def spawn(self, command: Sequence[str | Path], *, output: int) -> subprocess.Popen[bytes]:
        """Start a process as the owner, in a session of its own, writing to a descriptor."""
        return subprocess.Popen(  # noqa: S603 - no shell, and every argument is ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # an interrupt typed in a terminal must not reach it
            cwd="/",
            env=_environment(),
            **self._credentials(),
        )

    def _credentials(self) -> _Credentials:
        if not self.other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}


def make_directories(path: Path) -> None:
    """Make a directory and its missing parents; those that root makes, all users can enter."""
    if path.is_dir():
        return
    make_directories(path.parent)
    with suppress(FileExistsError):
        path.mkdir()
        if os.geteuid() == 0:
            path.chmod(0o755)


def _environment() -> dict[str, str]:
    # A locale that is not installed stops initdb, and messages are read here in English.
    return {**os.environ, "LC_ALL": "C"}
