"""Connection pools: last in, first out, with at most ``max_size`` connections.

No thread or task works in the background: a caller opens the connection that it needs, and gets
the error when the server cannot be reached.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable
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
    """

    __slots__ = ("__weakref__",)


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
        self._leases = WeakSet[_Lease]()
        self._changed = threading.Condition()
        self._closed = False

    def acquire(self, deadline: Deadline) -> TimedConnection:
        """Return a live connection before a deadline; the caller must release it.

        Raises
        ------
        ConnectionFailed
            If the server cannot be reached, or all connections stay in use.
        """
        lease = _Lease()
        with self._changed:
            seconds = deadline.within(ACQUIRE_SECONDS)
            if not self._changed.wait_for(self._has_room, seconds):
                raise _exhausted(self._max_size, seconds)
            self._leases.add(lease)
            connection = self._idle.pop() if self._idle else None
        try:
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
            with self._changed:
                self._leases.discard(lease)
                self._changed.notify()
            raise
        return connection

    def release(self, connection: TimedConnection) -> None:
        """Return a connection to the pool; it is closed if it is in a transaction."""
        if connection.pid != os.getpid():
            return  # forked while it was in use; another thread of the parent may hold the lock
        connection.last_used = time()
        lease, connection.lease = connection.lease, None
        with self._changed:
            self._leases.discard(lease)
            reusable = not self._closed and is_reusable(connection)
            if reusable:
                self._idle.append(connection)
            self._changed.notify()
        if not reusable:
            discard(connection)

    def close(self) -> None:
        """Close the idle connections now, and those in use when they are released."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        with self._changed:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _has_room(self) -> bool:
        return len(self._leases) < self._max_size


class AsyncPool:
    """Async twin of `Pool`, for the tasks of one event loop."""

    def __init__(
        self, connect: Callable[[Deadline], Awaitable[AsyncTimedConnection]], max_size: int
    ) -> None:
        self._connect = connect
        self._max_size = max_size
        self._idle: list[AsyncTimedConnection] = []
        self._opened = WeakSet[AsyncTimedConnection]()
        self._leases = WeakSet[_Lease]()
        self._waiters = deque[asyncio.Future[None]]()
        self._closed = False

    async def acquire(self, deadline: Deadline) -> AsyncTimedConnection:
        """Async twin of `Pool.acquire`."""
        lease = _Lease()
        seconds = deadline.within(ACQUIRE_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                await self._wait_for_room()
        except TimeoutError:
            raise _exhausted(self._max_size, seconds) from None
        self._leases.add(lease)
        connection = self._idle.pop() if self._idle else None
        try:
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
            self._free(lease)
            raise
        return connection

    def release(self, connection: AsyncTimedConnection) -> None:
        """Async twin of `Pool.release`; it awaits nothing, so it cannot be cancelled."""
        connection.last_used = time()
        lease, connection.lease = connection.lease, None
        if not self._closed and is_reusable(connection):
            self._idle.append(connection)
        else:
            discard(connection)
        self._free(lease)

    def close(self) -> None:
        """Async twin of `Pool.close`."""
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

    async def _wait_for_room(self) -> None:
        enqueue = self._waiters.append
        while len(self._leases) >= self._max_size:
            waiter = asyncio.get_running_loop().create_future()
            enqueue(waiter)
            try:
                await waiter
            except BaseException:
                if not waiter.cancelled():
                    self._wake_next()
                raise
            enqueue = self._waiters.appendleft  # if another task was faster, this one is next

    def _free(self, lease: _Lease) -> None:
        self._leases.discard(lease)
        self._wake_next()

    def _wake_next(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():  # it is done if it was cancelled
                waiter.set_result(None)
                return


def _exhausted(max_size: int, seconds: float) -> TimedOut:
    return TimedOut(
        f"{CONNECT}: all {max_size} connections of this client were in use for "
        f"{seconds:.3g} s; raise max_size, or end transactions that hold them"
    )
