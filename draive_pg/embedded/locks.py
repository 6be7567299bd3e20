"""Locks between processes, which end with the process that holds them."""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

from draive_pg.embedded.ownership import Owner

__all__ = ("FileLock",)

_locks: WeakSet["FileLock"] = WeakSet()


class FileLock:
    """A lock on a file (``flock``), shared or exclusive.

    It excludes other objects in the same process too, is released when the process dies,
    however it dies, and is not inherited by a fork.
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
        """Hold the lock together with others; nothing happens if it is held."""
        if self._descriptor is None:
            descriptor = owner.open(path)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            self._descriptor = descriptor

    def upgrade(self) -> bool:
        """Make a shared lock exclusive if nobody shares it; if not, it is lost."""
        if self._descriptor is None:
            return False
        if _lock_exclusively(self._descriptor):
            return True
        self.release()
        return False

    @contextmanager
    def exclusive(self, path: Path, owner: Owner, *, timeout: float) -> Generator[None]:
        """Hold the lock alone; TimeoutError when others have kept it for ``timeout`` seconds."""
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
        """Give up the lock; nothing happens if it is not held."""
        if self._descriptor is not None:
            # Closing alone would leave it to a process that was forked off a moment ago.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self.forget()

    def forget(self) -> None:
        """Drop this process's copy of the descriptor, without unlocking the parent's."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock_exclusively(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _forget_all() -> None:
    for lock in tuple(_locks):
        lock.forget()


os.register_at_fork(after_in_child=_forget_all)
