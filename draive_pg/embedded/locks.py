"""Locks between processes, released when the process that holds them ends."""

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from weakref import WeakSet

from draive_pg.embedded.ownership import Owner

if sys.platform != "win32":
    import fcntl

_locks: WeakSet["FileLock"] = WeakSet()


class FileLock:
    """A lock on a file (``flock``), shared or exclusive.

    It also excludes other objects of the same process. It is released when the process ends in any
    way, and a forked process does not inherit it.
    """

    _descriptor: int | None = None

    def __init__(self) -> None:
        _locks.add(self)

    def __del__(self) -> None:
        self.release()

    def __reduce__(self) -> NoReturn:
        # A copy would close the descriptor of the original.
        raise TypeError("a lock between processes can be neither copied nor pickled")

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def share(self, path: Path, owner: Owner) -> None:
        """Take the lock in shared mode; do nothing if it is held."""
        if self._descriptor is None:
            descriptor = owner.open(path)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            self._descriptor = descriptor

    def upgrade(self) -> bool:
        """Make a shared lock exclusive; release it and return False if others share it."""
        if self._descriptor is None:
            return False
        while not _lock(self._descriptor, fcntl.LOCK_EX):
            if _lock(self._descriptor, fcntl.LOCK_SH):
                self.release()
                return False
            # The supervisor of the server has the lock for a moment.
            time.sleep(0.001)
        return True

    @contextmanager
    def exclusive(self, path: Path, owner: Owner, *, timeout: float) -> Generator[None]:
        """Hold the lock exclusively for a block.

        Raises
        ------
        TimeoutError
            If others have held it for ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        self._descriptor = owner.open(path)
        try:
            while not _lock(self._descriptor, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"{path} was locked by another start or stop for {timeout:g} s"
                    )
                time.sleep(0.01)
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Release the lock; do nothing if it is not held."""
        if self._descriptor is not None:
            # Closing does not unlock while a forked process holds a copy of the descriptor.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self.drop()

    def drop(self) -> None:
        """Close this process's copy of the descriptor, without unlocking the parent's."""
        # Forgotten first, so that a process forked meanwhile does not close it again.
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _lock(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _reset_after_fork() -> None:
    for lock in tuple(_locks):
        lock.drop()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_reset_after_fork)
