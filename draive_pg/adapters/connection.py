"""A psycopg connection as haiway's ``PostgresConnection``.

This is the only module that uses haiway's private interface, which is checked when it is imported.
"""

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, cast
from weakref import WeakKeyDictionary, finalize

from haiway.postgres import PostgresConnection, PostgresException, PostgresRow, PostgresValue
from psycopg import AsyncConnection, Error
from psycopg.pq import TransactionStatus

from draive_pg.database.driver import READ_COMMITTED

if "_record" not in PostgresRow.__slots__:
    raise ImportError(
        f"draive_pg.adapters needs haiway 0.35, found {version('haiway')}: PostgresRow has no slot "
        "_record; pip install 'haiway>=0.35.4,<0.36'"
    )


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """The connection behind a ``PostgresConnection``, and what to call after its transactions."""

    connection: AsyncConnection
    callbacks: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])

    def run_callbacks(self) -> None:
        for callback in self.callbacks:
            callback()


_wrapped = WeakKeyDictionary[PostgresConnection, _Wrapped]()


@contextmanager
def wrapped_connection(connection: AsyncConnection) -> Generator[PostgresConnection]:
    """Provide a psycopg connection as one of haiway's for a block."""
    wrapped = _Wrapped(connection)
    wrapper = _wrapper(wrapped)
    _wrapped[wrapper] = wrapped
    try:
        yield wrapper
    finally:
        wrapped.run_callbacks()


def on_transaction_end(connection: PostgresConnection, callback: Callable[[], object]) -> None:
    """Call a function after each transaction of a connection, and when it is released.

    For a connection of another pool it is called when that is garbage-collected.
    """
    wrapped = _wrapped.get(connection)
    if wrapped is None:
        finalize(connection, callback)
    else:
        wrapped.callbacks.append(callback)


@asynccontextmanager
async def locking_transaction(connection: PostgresConnection) -> AsyncGenerator[None]:
    """Begin a READ COMMITTED transaction, so that each statement sees what precedes its lock.

    A connection of another pool, or one in a transaction, keeps its isolation level.
    """
    wrapped = _wrapped.get(connection)
    if wrapped is None or wrapped.connection.info.transaction_status != TransactionStatus.IDLE:
        async with connection.transaction():
            yield
        return
    await wrapped.connection.set_isolation_level(READ_COMMITTED)
    try:
        async with connection.transaction():
            yield
    finally:
        with suppress(Error):  # the connection may be lost
            await wrapped.connection.set_isolation_level(None)


class _Row(PostgresRow):
    """A row of psycopg; haiway's constructor accepts only asyncpg's records."""

    __slots__ = ()

    def __init__(self, values: Mapping[str, PostgresValue]) -> None:
        object.__setattr__(self, "_record", values)


def _wrapper(wrapped: _Wrapped) -> PostgresConnection:
    connection = wrapped.connection

    async def execute(statement: str, /, *args: PostgresValue) -> Sequence[PostgresRow]:
        try:
            cursor = await connection.execute(statement.encode(), args or None)
            if cursor.description is None:
                return ()
            names = [column.name for column in cursor.description]
            return tuple(
                _Row(dict(zip(names, row, strict=True))) for row in await cursor.fetchall()
            )
        except Error as error:
            raise PostgresException(
                f"Failed to execute SQL statement: {error.diag.message_primary or error}"
                + (f" ({error.sqlstate})" if error.sqlstate else "")
            ) from error

    @asynccontextmanager
    async def transaction() -> AsyncGenerator[None]:
        try:
            async with connection.transaction():
                yield
        finally:
            wrapped.run_callbacks()

    return PostgresConnection(
        statement_executing=execute,
        transaction_preparing=cast("Any", transaction),
    )
