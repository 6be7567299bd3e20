"""The operating system user that the server runs as.

PostgreSQL refuses to run as root, so for root another user runs it, who must be able to enter the
directories. That user may be hostile to root, so root accesses files in directories that others
can change with the rights of that user only, follows no links there, and checks opened files.
"""

import ctypes
import os
import stat
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict

from draive_pg.embedded.forks import no_forks
from draive_pg.errors import EmbeddedServerError

# For root: files that another user must be able to reach.
SHARED = Path("/var/lib/draive_pg")

# The server gets no other variables: they may hold secrets, which SQL functions can read.
_VARIABLES = ("PATH", "HOME", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Credentials(TypedDict, total=False):
    """Arguments of `subprocess`."""

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

        For root: whoever owns the directory, or its nearest parent that exists; if that is root,
        ``postgres``, else ``nobody``.
        """
        import pwd  # not on Windows

        current = cls.current()
        if current.uid != 0:
            return current
        status = nearest(data).stat()
        if status.st_uid != 0:
            with suppress(KeyError):  # not the group of the directory, which may be root's
                return cls(status.st_uid, pwd.getpwuid(status.st_uid).pw_gid)
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

    @contextmanager
    def acting(self) -> Generator[None]:
        """Access files with the rights of this user in a block, if this process runs as root.

        It affects the current thread only.

        Raises
        ------
        EmbeddedServerError
            If the operating system does not support that.
        """
        if os.geteuid() != 0:
            yield
            return
        before = _set_file_user(self)
        try:
            yield
        finally:
            _set_file_user(before)

    def give(self, path: Path) -> None:
        """Change the owner of a path that this process created."""
        if self.other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def open(self, path: Path, flags: int = os.O_RDWR | os.O_APPEND | os.O_CREAT) -> int:
        """Open a file of the owner, and return its descriptor.

        Raises
        ------
        EmbeddedServerError
            If it is not a regular file, or belongs to another user.
        """
        # Linux refuses O_CREAT without O_EXCL to root on another user's file in a sticky directory.
        if flags & os.O_CREAT:
            with suppress(FileExistsError):
                descriptor = os.open(path, flags | os.O_EXCL, mode=0o600)
                if self.other:
                    os.fchown(descriptor, self.uid, self.gid)
                return descriptor
        # Opening a FIFO must not wait for its other end.
        descriptor = os.open(path, flags & ~os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != self.uid:
            os.close(descriptor)
            raise EmbeddedServerError(
                f"{path} must be a regular file of the user {self.uid}: remove it"
            )
        return descriptor

    def read(self, path: Path) -> str | None:
        """Return the text of a small file of the owner, or None if it does not exist."""
        try:
            descriptor = self.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return os.fsdecode(file.read(2**16))

    def can_enter(self, path: Path) -> bool:
        """Return whether the owner may execute a file or enter a directory."""
        if not self.other:
            return True
        with self.acting():
            return os.access(path, os.X_OK, effective_ids=True)

    def credentials(self) -> Credentials:
        """Return the arguments of `subprocess` that run a program as the owner."""
        if not self.other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a command as the owner, and return its output."""
        with no_forks:
            return subprocess.run(  # noqa: S603 - no shell, and every argument is ours
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                encoding="utf-8",
                errors="replace",
                cwd="/",
                env=environment(),
                **self.credentials(),
            )


def make_directories(path: Path) -> None:
    """Create a directory and its missing parents; if root creates them, readable by all users."""
    if path.is_dir():
        return
    make_directories(path.parent)
    with suppress(FileExistsError):
        path.mkdir()
        if os.geteuid() == 0:
            path.chmod(0o755)


def nearest(path: Path) -> Path:
    """Return a directory, or its nearest parent that exists."""
    return path if path.is_dir() else nearest(path.parent)


def environment() -> dict[str, str]:
    """Return the environment variables of PostgreSQL's programs."""
    passed = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    # initdb fails on a locale that is not installed, and messages are parsed in English.
    return {**passed, "LC_ALL": "C"}


def _set_file_user(user: Owner) -> Owner:
    """Set the user that the current thread accesses files as, and return the one before."""
    libc = ctypes.CDLL(None)
    try:
        before = Owner(libc.setfsuid(-1), libc.setfsgid(-1))
        libc.setfsgid(user.gid)
        libc.setfsuid(user.uid)
    except AttributeError:
        raise EmbeddedServerError(
            "the embedded server can be used as root on Linux only: work as an ordinary user, "
            "or set DRAIVE_PG_DSN to the address of a server"
        ) from None
    if libc.setfsuid(-1) != user.uid:
        raise EmbeddedServerError("this process may not change its user: work as an ordinary user")
    return before
