"""Connection pools: last in, first out, with at most ``max_size`` connections.

No thread or task works in the background: a caller opens the connection that it needs, and gets
the error when the server cannot be reached.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import time
from weakref import WeakSet

from draive_pg.database.deadline import Deadline
from draive_pg.database.driver import (
    AsyncTimedConnection,
    TimedConnection,
    discard,
    is_reusable,
)
from draive_pg.database.errors import CONNECT, map_errors
from draive_pg.database.observe import logger
from draive_pg.errors import TimedOut

# Seconds to wait for a connection when all are in use.
ACQUIRE_SECONDS = 10.0

RECONNECT = "an idle connection was lost; connecting again"


class _Lease:
    """The right to one connection, counted by a `WeakSet` while it is referenced.

    A connection that an interrupt leaks therefore frees its slot when it is garbage collected.

    Attributes
    ----------
    grant : callable
        Called when the lease is granted.
    """

    __slots__ = ("__weakref__", "grant")

    def __init__(self, grant: Callable[[], object]) -> None:
        self.grant = grant


class _Leases:
    """The leases of a pool, granted in the order in which they were requested.

    Without that order, callers that release a connection and request the next one at once would
    keep all connections from callers that wait.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._granted = WeakSet[_Lease]()
        self.waiting = deque[_Lease]()

    @property
    def exhausted(self) -> bool:
        """Whether a request would have to wait."""
        return len(self._granted) >= self._max_size

    def request(self, lease: _Lease) -> None:
        """Grant a lease, now or when it is its turn."""
        self.waiting.append(lease)
        self._grant()

    def end(self, lease: _Lease) -> None:
        """End a lease, or withdraw its request."""
        if lease in self._granted:
            self._granted.discard(lease)
        else:
            with suppress(ValueError):
                self.waiting.remove(lease)
        self._grant()

    def _grant(self) -> None:
        while self.waiting and not self.exhausted:
            lease = self.waiting.popleft()
            self._granted.add(lease)
            lease.grant()


class Pool:
    """Connections to one database, for any number of threads.

    Parameters
    ----------
    connect : callable
        Open a connection before a deadline.
    max_size : int
        Maximum number of connections.
    """

    def __init__(self, connect: Callable[[Deadline], TimedConnection], max_size: int) -> None:
        self._connect = connect
        self._max_size = max_size
        self._idle: list[TimedConnection] = []
        self._leases = _Leases(max_size)
        self._lock = threading.RLock()  # garbage collection may release a connection meanwhile
        self._closed = False

    @property
    def is_exhausted(self) -> bool:
        """Whether all connections are in use."""
        return self._leases.exhausted

    def acquire(self, deadline: Deadline) -> TimedConnection:
        """Return a live connection before a deadline; the caller must release it.

        Raises
        ------
        ConnectionFailed
            If the server cannot be reached, or all connections stay in use.
        """
        granted = threading.Lock()
        granted.acquire()
        lease = _Lease(granted.release)
        connection: TimedConnection | None = None
        try:
            with self._lock:
                self._leases.request(lease)
            seconds = deadline.within(ACQUIRE_SECONDS)
            if not granted.acquire(timeout=seconds):
                raise _exhausted(self._max_size, seconds)
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is not None and not connection.usable(deadline):
                logger.warning(RECONNECT)
                connection.close()
                self._close_idle()  # they were probably lost, too
                connection = None
            if connection is None:
                with map_errors(CONNECT):
                    connection = self._connect(deadline)
            connection.lease = lease
        except BaseException:
            if connection is not None:
                connection.close()
            with self._lock:
                self._leases.end(lease)
            raise
        return connection

    def release(self, connection: TimedConnection) -> None:
        """Return a connection to the pool; it is closed if it is in a transaction."""
        if connection.pid != os.getpid():
            return  # forked while it was in use; another thread of the parent may hold the lock
        connection.last_used = time()
        lease, connection.lease = connection.lease, None
        reusable = False
        try:
            with self._lock:
                reusable = not self._closed and is_reusable(connection)
                if reusable:
                    self._idle.append(connection)
                self._leases.end(lease)
        finally:  # also if Ctrl-C is pressed again: a transaction that stays open keeps its locks
            if not reusable:
                discard(connection)

    def close(self) -> None:
        """Close the idle connections now, and those in use when they are released."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class AsyncPool:
    """Async version of `Pool`, for the tasks of one event loop."""

    def __init__(
        self, connect: Callable[[Deadline], Awaitable[AsyncTimedConnection]], max_size: int
    ) -> None:
        self._connect = connect
        self._max_size = max_size
        self._idle: list[AsyncTimedConnection] = []
        self._opened = WeakSet[AsyncTimedConnection]()
        self._leases = _Leases(max_size)
        self._closed = False

    @property
    def is_exhausted(self) -> bool:
        """Async version of `Pool.is_exhausted`."""
        return self._leases.exhausted

    async def acquire(self, deadline: Deadline) -> AsyncTimedConnection:
        """Async version of `Pool.acquire`."""
        granted = asyncio.Event()
        lease = _Lease(granted.set)
        connection: AsyncTimedConnection | None = None
        try:
            self._leases.request(lease)
            if not granted.is_set():
                await self._wait(granted, deadline.within(ACQUIRE_SECONDS))
            connection = self._idle.pop() if self._idle else None
            if connection is not None and not await connection.usable(deadline):
                logger.warning(RECONNECT)
                connection.pgconn.finish()
                self._close_idle()
                connection = None
            if connection is None:
                with map_errors(CONNECT):
                    connection = await self._connect(deadline)
                self._opened.add(connection)
            connection.lease = lease
        except BaseException:
            if connection is not None:
                connection.pgconn.finish()
            self._leases.end(lease)
            raise
        return connection

    async def _wait(self, granted: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await granted.wait()
        except TimeoutError:
            raise _exhausted(self._max_size, seconds) from None

    def release(self, connection: AsyncTimedConnection) -> None:
        """Async version of `Pool.release`; it awaits nothing, so it cannot be cancelled."""
        connection.last_used = time()
        lease, connection.lease = connection.lease, None
        if not self._closed and is_reusable(connection):
            self._idle.append(connection)
        else:
            discard(connection)
        self._leases.end(lease)

    def close(self) -> None:
        """Async version of `Pool.close`."""
        self._closed = True
        self._close_idle()

    def abandon(self) -> None:
        """Close all connections of an event loop that has ended."""
        for connection in self._opened:
            connection.pgconn.finish()

    def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.pgconn.finish()


def _exhausted(max_size: int, seconds: float) -> TimedOut:
    return TimedOut(
        f"{CONNECT}: all {max_size} connections of this client were in use for "
        f"{seconds:.3g} s; raise max_size, or end transactions that hold them"
    )
