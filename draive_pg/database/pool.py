"""Connection pools: last in, first out, with at most ``max_size`` connections.

No thread or task works in the background: a caller opens the connection that it needs, and gets
the error when the server cannot be reached.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from time import monotonic
from weakref import WeakSet

from draive_pg.database.driver import AsyncTimedConnection, TimedConnection, is_reusable
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
        Open a connection.
    max_size : int
        Maximum number of connections.
    """

    def __init__(self, connect: Callable[[], TimedConnection], max_size: int) -> None:
        self._connect = connect
        self._max_size = max_size
        self._idle: list[TimedConnection] = []
        self._leases = WeakSet[_Lease]()
        self._changed = threading.Condition()
        self._closed = False

    def acquire(self) -> TimedConnection:
        """Return a live connection; the caller must release it.

        Raises
        ------
        ConnectionFailed
            If the server cannot be reached, or all connections stay in use.
        """
        lease = _Lease()
        with self._changed:
            if not self._changed.wait_for(self._has_room, ACQUIRE_SECONDS):
                raise _exhausted(self._max_size)
            self._leases.add(lease)
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is not None and not connection.usable():
                logger.warning(RECONNECT)
                connection.close()
                self._close_idle()  # probably lost, too
                connection = None
            if connection is None:
                with map_errors(CONNECT):
                    connection = self._connect()
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
        connection.last_used = monotonic()
        lease, connection.lease = connection.lease, None
        with self._changed:
            self._leases.discard(lease)
            reusable = not self._closed and is_reusable(connection)
            if reusable:
                self._idle.append(connection)
            self._changed.notify()
        if not reusable:
            connection.close()

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
        self, connect: Callable[[], Awaitable[AsyncTimedConnection]], max_size: int
    ) -> None:
        self._connect = connect
        self._max_size = max_size
        self._idle: list[AsyncTimedConnection] = []
        self._opened = WeakSet[AsyncTimedConnection]()
        self._leases = WeakSet[_Lease]()
        self._changed = asyncio.Condition()
        self._closed = False

    async def acquire(self) -> AsyncTimedConnection:
        """Async twin of `Pool.acquire`."""
        lease = _Lease()
        try:
            async with asyncio.timeout(ACQUIRE_SECONDS), self._changed:
                await self._changed.wait_for(self._has_room)
                self._leases.add(lease)
                connection = self._idle.pop() if self._idle else None
        except TimeoutError:
            raise _exhausted(self._max_size) from None
        try:
            if connection is not None and not await connection.usable():
                logger.warning(RECONNECT)
                await connection.close()
                await self._close_idle()
                connection = None
            if connection is None:
                with map_errors(CONNECT):
                    connection = await self._connect()
                self._opened.add(connection)
            connection.lease = lease
        except BaseException:
            if connection is not None:
                await connection.close()
            async with self._changed:
                self._leases.discard(lease)
                self._changed.notify()
            raise
        return connection

    async def release(self, connection: AsyncTimedConnection) -> None:
        """Async twin of `Pool.release`."""
        connection.last_used = monotonic()
        lease, connection.lease = connection.lease, None
        async with self._changed:
            self._leases.discard(lease)
            reusable = not self._closed and is_reusable(connection)
            if reusable:
                self._idle.append(connection)
            self._changed.notify()
        if not reusable:
            await connection.close()

    async def close(self) -> None:
        """Async twin of `Pool.close`."""
        self._closed = True
        await self._close_idle()

    def abandon(self) -> None:
        """Close all connections of an event loop that has ended."""
        for connection in self._opened:
            connection.pgconn.finish()

    async def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    def _has_room(self) -> bool:
        return len(self._leases) < self._max_size


def _exhausted(max_size: int) -> TimedOut:
    return TimedOut(
        f"{CONNECT}: all {max_size} connections of this client were in use for "
        f"{ACQUIRE_SECONDS:.0f} s; raise max_size, or end transactions that hold them"
    )
