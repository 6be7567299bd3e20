"""Connections that the caller owns: of a psycopg pool, a SQLAlchemy engine, or a single one.

They are returned after each call, and never closed, unless a call leaves one in an unknown state.
In a transaction of the caller, a call is a savepoint, and commits nothing.
"""

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, cast

from psycopg import AsyncConnection, Connection, Error
from psycopg.pq import PipelineStatus, TransactionStatus

from draive_pg.database.deadline import Deadline
from draive_pg.database.driver import (
    AsyncTimedConnection,
    TimedConnection,
    borrow,
    discard,
    is_open,
    is_reusable,
)
from draive_pg.database.errors import CONNECT, map_errors
from draive_pg.database.pool import ACQUIRE_SECONDS
from draive_pg.errors import ConnectionFailed, OperationFailed, TimedOut


class Source(Protocol):
    """What lends connections, as a pool of psycopg_pool does."""

    def getconn(self, timeout: float | None = None) -> Connection[Any]: ...
    def putconn(self, conn: Connection[Any]) -> None: ...


class AsyncSource(Protocol):
    """Async version of `Source`."""

    def getconn(self, timeout: float | None = None) -> Awaitable[AsyncConnection[Any]]: ...
    def putconn(self, conn: AsyncConnection[Any]) -> Awaitable[None]: ...


class ExternalEndpoint:
    """The server of the given connections.

    Parameters
    ----------
    pool : object
        The pool, engine or connection.
    """

    def __init__(self, pool: object) -> None:
        self._pool = pool
        self.single = isinstance(pool, Connection | AsyncConnection)
        self._source: Any = pool
        match pool:
            case Connection():
                self._source = _Single(cast("Connection[Any]", pool))
            case AsyncConnection():
                self._source = _AsyncSingle(cast("AsyncConnection[Any]", pool))
            case _ if hasattr(pool, "raw_connection"):
                self._source = _AsyncEngine(pool) if _is_async_engine(pool) else _Engine(pool)
            case _:
                pass

    def source(self) -> Source:
        """Return what lends connections to a `Client`."""
        return self._source

    def async_source(self) -> AsyncSource:
        """Return what lends connections to an `AsyncClient`."""
        return self._source

    def conninfo(self) -> str:
        raise OperationFailed(
            "listening for changes needs a connection of its own: use a client with a DSN"
        )

    def close(self) -> None:
        pass

    def __repr__(self) -> str:
        return f"pool={type(self._pool).__name__}"


def external_endpoint(pool: object, *, asynchronous: bool) -> ExternalEndpoint:
    """Return the endpoint of a pool, an engine or a connection.

    Raises
    ------
    TypeError
        If it lends no connections of psycopg of this colour.
    """
    wanted, name = (
        (AsyncConnection, "AsyncConnection") if asynchronous else (Connection, "Connection")
    )
    getconn = getattr(pool, "getconn", None)
    lends = getconn is not None and inspect.iscoroutinefunction(getconn) == asynchronous
    engine = hasattr(pool, "raw_connection") and _is_async_engine(pool) == asynchronous
    if not isinstance(pool, cast("type[object]", wanted)) and not lends and not engine:
        raise TypeError(
            f"pool must be a psycopg {name}, a psycopg_pool {name}Pool, or a SQLAlchemy "
            f"{'AsyncEngine' if asynchronous else 'Engine'}, not {type(pool).__name__}"
        )
    return ExternalEndpoint(pool)


def _is_async_engine(engine: object) -> bool:
    return inspect.iscoroutinefunction(cast("Any", engine).raw_connection)


class ExternalPool:
    """Lends the connections of a source as `Pool` does its own.

    A source never frees the slot of a connection that is not returned to it, so one that an
    interrupt leaks is released by the next call.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._leaked = deque[TimedConnection]()

    def acquire(self, deadline: Deadline) -> TimedConnection:
        """Return a connection of the source before a deadline; the caller must release it."""
        self.close()
        owned: Connection[Any] | None = None
        try:
            with map_errors(CONNECT):
                owned = self._source.getconn(deadline.within(ACQUIRE_SECONDS))
            _check_usable(owned)
            connection = borrow(TimedConnection, owned)
        except BaseException:
            if owned is not None:
                self._source.putconn(owned)
            raise
        connection.leaked = self._leaked
        return connection

    def release(self, connection: TimedConnection) -> None:
        """Return a connection to its source; it is closed if its state is unknown."""
        _close_unless_clean(connection)
        connection.leaked = None
        self._source.putconn(connection.lease)

    def close(self) -> None:
        """Release the leaked connections; close none, because they are the caller's."""
        with suppress(IndexError):  # other threads may do the same
            while True:
                self.release(self._leaked.popleft())


class AsyncExternalPool:
    """Async version of `ExternalPool`."""

    def __init__(self, source: AsyncSource) -> None:
        self._source = source

    async def acquire(self, deadline: Deadline) -> AsyncTimedConnection:
        """Async version of `ExternalPool.acquire`."""
        with map_errors(CONNECT):
            owned = await self._source.getconn(deadline.within(ACQUIRE_SECONDS))
        try:
            _check_usable(owned)
            return borrow(AsyncTimedConnection, owned)
        except BaseException:
            await self._source.putconn(owned)
            raise

    def release(self, connection: AsyncTimedConnection) -> asyncio.Future[None]:
        """Begin to return a connection to its source; a cancellation does not stop that."""
        owned, connection.lease = connection.lease, None
        _close_unless_clean(connection)
        return asyncio.ensure_future(self._source.putconn(owned))

    def close(self) -> None:
        """Close nothing: the connections are the caller's."""

    abandon = close


class _Single:
    """Lends one connection to one call at a time."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def getconn(self, timeout: float | None = None) -> Connection[Any]:
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise _in_use()
        return self._connection

    def putconn(self, conn: Connection[Any]) -> None:  # noqa: ARG002 - as that of a pool
        self._lock.release()


class _AsyncSingle:
    """Async version of `_Single`."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    async def getconn(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as that of a pool
    ) -> AsyncConnection[Any]:
        try:
            async with asyncio.timeout(timeout):
                await self._lock.acquire()
        except TimeoutError:
            raise _in_use() from None
        return self._connection

    async def putconn(self, conn: AsyncConnection[Any]) -> None:  # noqa: ARG002
        self._lock.release()


class _Engine:
    """Lends the connections of a SQLAlchemy ``Engine`` whose driver is psycopg."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._raw: dict[int, Any] = {}

    def getconn(self, timeout: float | None = None) -> Connection[Any]:  # noqa: ARG002
        with _engine_errors():
            raw = self._engine.raw_connection()
        connection: Any = raw.driver_connection
        if not hasattr(connection, "pgconn"):
            raw.close()
            raise _unsuitable_driver()
        self._raw[id(connection)] = raw
        return connection

    def putconn(self, conn: Connection[Any]) -> None:
        raw = self._raw.pop(id(conn))
        if conn.closed:
            raw.invalidate()
        raw.close()


class _AsyncEngine:
    """Async version of `_Engine`, for an ``AsyncEngine``."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._raw: dict[int, Any] = {}

    async def getconn(
        self,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - as that of a pool
    ) -> AsyncConnection[Any]:
        with _engine_errors():
            raw = await self._engine.connect()
        connection: Any = (await raw.get_raw_connection()).driver_connection
        if not hasattr(connection, "pgconn"):
            await raw.close()
            raise _unsuitable_driver()
        self._raw[id(connection)] = raw
        return connection

    async def putconn(self, conn: AsyncConnection[Any]) -> None:
        raw = self._raw.pop(id(conn))
        if conn.closed:
            await raw.invalidate()
        await raw.close()


@contextmanager
def _engine_errors() -> Generator[None]:
    """Raise the errors of psycopg that SQLAlchemy wraps, and of its pool those of psycopg's."""
    try:
        yield
    except Exception as error:
        if isinstance(original := getattr(error, "orig", None), Error):
            raise original from None
        if type(error).__name__ == "TimeoutError":
            raise TimedOut(f"{CONNECT}: {str(error).partition(' (Background')[0]}") from None
        raise


def _unsuitable_driver() -> TypeError:
    return TypeError(
        "the driver of the engine must be psycopg: create_engine('postgresql+psycopg://…')"
    )


def _in_use() -> TimedOut:
    return TimedOut(f"{CONNECT}: the connection of this client stayed in use by another call")


def _check_usable(connection: Connection[Any] | AsyncConnection[Any]) -> None:
    pgconn = connection.pgconn
    if connection.closed:
        raise ConnectionFailed(f"{CONNECT}: the given connection is closed")
    if pgconn.pipeline_status != PipelineStatus.OFF:
        raise OperationFailed("the given connection is in pipeline mode: end its pipeline first")
    if pgconn.transaction_status == TransactionStatus.ACTIVE:
        raise OperationFailed("the given connection is in use by another statement")
    if connection.info.encoding != "utf-8":
        raise OperationFailed(
            f"the given connection has the encoding {connection.info.encoding}: "
            "connect with client_encoding=UTF8"
        )


def _close_unless_clean(connection: TimedConnection | AsyncTimedConnection) -> None:
    nested = connection.nested and is_open(connection)
    if not nested and not is_reusable(connection):
        discard(connection)
