"""The operating system user that the server runs as.

PostgreSQL refuses to run as root, so for root another user runs it, who must be able to enter the
directories. Only files that this package created are ever chmodded or chowned to allow that.
"""

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict

from draive_pg.errors import EmbeddedServerError

# For root: files that another user must be able to reach.
SHARED = Path("/var/lib/draive_pg")


class _Credentials(TypedDict, total=False):
    user: int
    group: int
    extra_groups: Sequence[int]


@dataclass(frozen=True, slots=True)
class Owner:
    """The user, by ids, that owns the data directory and runs the server.

    Attributes
    ----------
    uid, gid : int
        The user and the group.
    """

    uid: int
    gid: int

    @classmethod
    def current(cls) -> Self:
        """Return the user of this process."""
        return cls(os.geteuid(), os.getegid())

    @classmethod
    def of(cls, data: Path) -> Self:
        """Return the user to run the server of a data directory as.

        For root: whoever owns the directory, else ``postgres``, else ``nobody``.
        """
        import pwd  # not on Windows

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
            "to run it as: create one, or work as an ordinary user"
        )

    @property
    def other(self) -> bool:
        """Whether this is not the user of this process."""
        return self.uid != os.geteuid()

    def give(self, path: Path) -> None:
        """Change the owner of a path that this process created."""
        if self.other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def open(self, path: Path) -> int:
        """Open a file of the owner for appending, create it if missing; return its descriptor."""
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW
        # Linux refuses O_CREAT without O_EXCL to root on another user's file in a sticky directory.
        with suppress(FileExistsError):
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, mode=0o600)
            if self.other:
                os.fchown(descriptor, self.uid, self.gid)
            return descriptor
        return os.open(path, flags)

    def can_enter(self, path: Path) -> bool:
        """Return whether the owner may execute a file or enter a directory."""
        return not self.other or self.run(("test", "-x", path)).returncode == 0

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a command as the owner, and return its output."""
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
        """Start a process as the owner, in its own session, with output to a descriptor."""
        return subprocess.Popen(  # noqa: S603 - no shell, and every argument is ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C in a terminal must not reach it
            cwd="/",
            env=_environment(),
            **self._credentials(),
        )

    def _credentials(self) -> _Credentials:
        if not self.other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}


def make_directories(path: Path) -> None:
    """Create a directory and its missing parents; if root creates them, readable by all users."""
    if path.is_dir():
        return
    make_directories(path.parent)
    with suppress(FileExistsError):
        path.mkdir()
        if os.geteuid() == 0:
            path.chmod(0o755)


def _environment() -> dict[str, str]:
    # initdb fails on a locale that is not installed, and messages are parsed in English.
    return {**os.environ, "LC_ALL": "C"}
