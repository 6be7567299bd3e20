"""Locks between processes, released when the process that holds them ends."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

from draive_pg.embedded.ownership import Owner

_locks: WeakSet["FileLock"] = WeakSet()


class FileLock:
    """A lock on a file (``flock``), shared or exclusive.

    It also excludes other objects of the same process, is released when the process ends in any
    way, and is not inherited by a fork.
    """

    def __init__(self) -> None:
        self._descriptor: int | None = None
        _locks.add(self)

    def __del__(self) -> None:
        self.release()

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def share(self, path: Path, owner: Owner) -> None:
        """Take the lock in shared mode; do nothing if it is held."""
        import fcntl  # not on Windows

        if self._descriptor is None:
            descriptor = owner.open(path)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            self._descriptor = descriptor

    def upgrade(self) -> bool:
        """Make a shared lock exclusive; release it and return False if others share it."""
        if self._descriptor is None:
            return False
        if _lock_exclusively(self._descriptor):
            return True
        self.release()
        return False

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
            while not _lock_exclusively(self._descriptor):
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
            import fcntl

            # Closing does not unlock while a forked process holds a copy of the descriptor.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self.drop()

    def drop(self) -> None:
        """Close this process's copy of the descriptor, without unlocking the parent's."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock_exclusively(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _reset_after_fork() -> None:
    for lock in tuple(_locks):
        lock.drop()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_reset_after_fork)
