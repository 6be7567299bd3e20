"""psycopg's connection pools, giving out only connections that are alive.

A server that went away has closed its end of the socket, which is seen without asking it; only a
connection that was idle for long is asked. So checking costs no round trip where calls follow each
other. (psycopg's ``check`` would ask each time, and wait a second after a dead connection; its
``reset`` returns connections by way of another thread.)

When no connection is to be had, connecting directly tells whether the server is why; psycopg's
pool does not say, and tries again ever more rarely. Here it tries when it is asked.
"""

import asyncio
import logging
import select
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, cast, override
from weakref import WeakSet

from psycopg import (
    AsyncConnection,
    AsyncRawCursor,
    Connection,
    Error,
    IsolationLevel,
    OperationalError,
    RawCursor,
)
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout  # pyright: ignore[reportPrivateUsage] - `wait` raises it
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from draive_pg.database.errors import CONNECT, described, translated
from draive_pg.errors import ConnectionFailed

__all__ = ("READ_COMMITTED", "AsyncPool", "NoAnswer", "Pool")

# How long a caller waits for a connection: at first as long as it takes to suspect the server,
# then as long as others may need theirs.
SUSPECT_SECONDS = 1.0
ACQUIRE_SECONDS = 10.0

# How long a query may take to end that was told to, by a connection of its own.
CANCEL_SECONDS = 2.0

# A network can drop an idle connection without closing our end of the socket.
IDLE_SECONDS = 60.0

# Statements are not prepared: a transaction pooler may hand the next one to another session.
CONNECTION: dict[str, Any] = {"autocommit": True, "prepare_threshold": None}

# Where a role defaults to a stricter level, a lock would be waited for with an old snapshot.
READ_COMMITTED = IsolationLevel.READ_COMMITTED

# The pools log each connection that they lose; unless the program handles logs, that is noise.
for name in ("psycopg", "psycopg.pool"):
    logging.getLogger(name).addHandler(logging.NullHandler())


class NoAnswer(OperationalError):
    """The server was waited for in vain."""


class _Patient(Connection):
    """A connection that is closed when the server leaves it without an answer for too long."""

    patience: float | None = None
    last_used: float = 0.0
    news: select.poll

    @override
    def wait[T](self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
        except _WaitTimeout:
            with suppress(Error):
                self.cancel_safe(timeout=CANCEL_SECONDS)
            self.close()
            raise NoAnswer(_unanswered(self.patience)) from None


class Pool:
    """Connections to one database, for any number of threads.

    Parameters
    ----------
    conninfo : callable
        Returns what libpq connects by; asked anew for each connection.
    max_size : int
        The most connections.
    timeout : float | None
        Seconds for which an answer of the server is waited for; None for as long as it takes.
    """

    def __init__(self, conninfo: Callable[[], str], max_size: int, timeout: float | None) -> None:
        def prepare(connection: _Patient) -> None:
            connection.last_used = monotonic()
            connection.patience = timeout
            connection.news = _news(connection)
            connection.set_isolation_level(READ_COMMITTED)

        self._conninfo = conninfo
        self._max_size = max_size
        self._lent = WeakSet[Connection]()
        self._pool = _InterruptiblePool(
            conninfo,
            connection_class=_Patient,
            kwargs={**CONNECTION, "cursor_factory": RawCursor},
            min_size=1,
            max_size=max_size,
            configure=prepare,
            reconnect_timeout=0,
            open=False,
        )

    def open(self) -> None:
        """Connect, or raise ConnectionFailed at once."""
        self._probe()
        try:
            with translated(CONNECT):
                self._pool.open(wait=True, timeout=ACQUIRE_SECONDS)
        except BaseException:
            self._pool.close(timeout=0)  # who is connecting ends when that does
            raise

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def acquire(self) -> Connection:
        """Return a connection that is alive, to be released, or raise ConnectionFailed."""
        for patience in (SUSPECT_SECONDS, ACQUIRE_SECONDS):
            try:
                return self._take(patience)
            except PoolTimeout:
                self._probe()
        size = _size_needed(self._pool, self._max_size, len(self._lent))
        if size > self._pool.max_size:
            self._pool.resize(1, size)
            with suppress(PoolTimeout):
                return self._take(SUSPECT_SECONDS)
        raise _exhausted(self._max_size)

    def release(self, connection: Connection) -> None:
        """Take back a connection."""
        self._lent.discard(connection)
        self._pool.putconn(cast("_Patient", connection))

    def _take(self, patience: float) -> Connection:
        while True:
            try:
                connection = self._pool.getconn(patience)
            except PoolTimeout:
                raise  # connecting directly tells more of why
            except Error as error:
                raise described(CONNECT, error) from error
            try:
                if _suspect(connection):
                    self._pool.check_connection(connection)
            except OperationalError:
                self._pool.putconn(connection)  # which sees that it is dead, and makes another
            except BaseException:
                self._pool.putconn(connection)
                raise
            else:
                connection.last_used = monotonic()
                self._lent.add(connection)
                return connection

    def _probe(self) -> None:
        with translated(CONNECT):
            Connection.connect(self._conninfo()).close()


class _InterruptiblePool(ConnectionPool[_Patient]):
    """A pool that hands no connection to a thread that was interrupted while it waited for one.

    psycopg's own does, and then counts that connection for ever.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting = self._queue = _Queue()

    @override
    def getconn(self, timeout: float | None = None) -> _Patient:
        try:
            return super().getconn(timeout)
        except BaseException:
            self._queue.leave()
            raise


class _Queue(deque[Any]):
    """Who waits for a connection; each thread can leave it."""

    def __init__(self) -> None:
        super().__init__()
        self._own = threading.local()

    @override
    def append(self, waiting: Any, /) -> None:
        self._own.place = waiting
        super().append(waiting)

    def leave(self) -> None:
        if (place := getattr(self._own, "place", None)) is not None:
            place.fail(PoolTimeout("interrupted"))  # unless it has been answered


class _AsyncPatient(AsyncConnection):
    """Async twin of `_Patient`."""

    patience: float | None = None
    last_used: float = 0.0
    news: select.poll

    @override
    async def wait[T](
        self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None
    ) -> T:
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, self.patience)
        except _WaitTimeout:
            with suppress(Error):
                await self.cancel_safe(timeout=CANCEL_SECONDS)
            await self.close()
            raise NoAnswer(_unanswered(self.patience)) from None


class AsyncPool:
    """Async twin of `Pool`, for the tasks of one event loop.

    ``configure`` is called with each new connection.
    """

    def __init__(
        self,
        conninfo: Callable[[], Awaitable[str]],
        max_size: int,
        timeout: float | None,
        configure: Callable[[AsyncConnection], Awaitable[None]],
    ) -> None:
        async def prepare(connection: _AsyncPatient) -> None:
            connection.last_used = monotonic()
            connection.patience = timeout
            connection.news = _news(connection)
            self._connections.add(connection)
            await configure(connection)

        self._conninfo = conninfo
        self._max_size = max_size
        self._connections = WeakSet[AsyncConnection]()
        self._lent = WeakSet[AsyncConnection]()
        self._pool = _EndingPool(
            conninfo,
            connection_class=_AsyncPatient,
            kwargs={**CONNECTION, "cursor_factory": AsyncRawCursor},
            min_size=1,
            max_size=max_size,
            configure=prepare,
            reconnect_timeout=0,
            open=False,
        )

    async def open(self) -> None:
        """Async twin of `Pool.open`."""
        await self._probe()
        try:
            with translated(CONNECT):
                await self._pool.open(wait=True, timeout=ACQUIRE_SECONDS)
        except BaseException:
            await self._pool.close(timeout=0)
            raise

    async def close(self) -> None:
        """Async twin of `Pool.close`."""
        await self._pool.close()

    def abandon(self) -> None:
        """Close all connections when their event loop has ended, and can do it no more."""
        for connection in self._connections:
            connection.pgconn.finish()

    async def acquire(self) -> AsyncConnection:
        """Async twin of `Pool.acquire`."""
        for patience in (SUSPECT_SECONDS, ACQUIRE_SECONDS):
            try:
                return await self._take(patience)
            except PoolTimeout:
                await self._probe()
        size = _size_needed(self._pool, self._max_size, len(self._lent))
        if size > self._pool.max_size:
            await self._pool.resize(1, size)
            with suppress(PoolTimeout):
                return await self._take(SUSPECT_SECONDS)
        raise _exhausted(self._max_size)

    async def release(self, connection: AsyncConnection) -> None:
        """Async twin of `Pool.release`."""
        self._lent.discard(connection)
        await self._pool.putconn(cast("_AsyncPatient", connection))

    async def _take(self, patience: float) -> AsyncConnection:
        while True:
            try:
                connection = await self._pool.getconn(patience)
            except PoolTimeout:
                raise  # connecting directly tells more of why
            except Error as error:
                raise described(CONNECT, error) from error
            try:
                if _suspect(connection):
                    await self._pool.check_connection(connection)
            except OperationalError:
                await self._pool.putconn(connection)
            except BaseException:
                await self._pool.putconn(connection)
                raise
            else:
                connection.last_used = monotonic()
                self._lent.add(connection)
                return connection

    async def _probe(self) -> None:
        with translated(CONNECT):
            await (await AsyncConnection.connect(await self._conninfo())).close()


class _EndingPool(AsyncConnectionPool[_AsyncPatient]):
    """A pool whose workers end when they are cancelled, also amid a task.

    psycopg's own swallow that cancellation, and a program whose event loop ends without `close`
    then waits for them for ever.
    """

    @classmethod
    async def worker(cls, q: asyncio.Queue[Any]) -> None:
        await super().worker(cast("Any", _UntilCancelled(q)))


class _UntilCancelled:
    """The queue of a worker, which gets nothing more from it once it was cancelled."""

    def __init__(self, queue: asyncio.Queue[Any]) -> None:
        self._queue = queue

    async def get(self) -> Any:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        return await self._queue.get()


def _suspect(connection: _Patient | _AsyncPatient) -> bool:
    """Tell whether the socket has news, such as its end, or the connection was idle for long."""
    if connection.closed or monotonic() - connection.last_used > IDLE_SECONDS:
        return True
    return bool(connection.news.poll(0))


def _news(connection: _Patient | _AsyncPatient) -> select.poll:
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return socket


def _size_needed(
    pool: ConnectionPool[Any] | AsyncConnectionPool[Any], max_size: int, lent: int
) -> int:
    """Return how large a pool must be for ``max_size`` connections that can be used.

    psycopg's pools go on counting a connection that was handed to somebody who had just given up
    waiting: by a timeout, a cancellation, an interrupt.
    """
    stats = pool.get_stats()
    return max_size + max(0, stats["pool_size"] - stats["pool_available"] - lent)


def _unanswered(timeout: float | None) -> str:
    return f"no answer of the server within the timeout of {timeout:g} s"


def _exhausted(max_size: int) -> ConnectionFailed:
    return ConnectionFailed(
        f"{CONNECT}: all {max_size} connections of this client were in use for "
        f"{ACQUIRE_SECONDS:.0f} s; raise max_size, or end transactions that hold them"
    )
