"""What a scope of haiway's is lent: a connection of psycopg's that looks like one of haiway's."""

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import WeakKeyDictionary, finalize

from haiway.postgres import PostgresConnection, PostgresException, PostgresRow, PostgresValue
from psycopg import AsyncConnection, Error
from psycopg.pq import TransactionStatus

from draive_pg.database.pool import READ_COMMITTED

__all__ = ("lending", "turns", "when_settled")


@dataclass(frozen=True, slots=True)
class _Lent:
    """What is behind a ``PostgresConnection`` of this pool, and who is told when things settle."""

    connection: AsyncConnection
    when_settled: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])

    def settle(self) -> None:
        for callback in self.when_settled:
            callback()


_lent = WeakKeyDictionary[PostgresConnection, _Lent]()


@contextmanager
def lending(connection: AsyncConnection) -> Generator[PostgresConnection]:
    """Lend a connection of psycopg's as one of haiway's, for the length of a block."""
    lent = _Lent(connection)
    wrapped = _wrapped(lent)
    _lent[wrapped] = lent
    try:
        yield wrapped
    finally:
        lent.settle()


def when_settled(connection: PostgresConnection, callback: Callable[[], object]) -> None:
    """Call back after each transaction of a connection, and when it was given back.

    Of a connection of another pool, it is called back when that is forgotten.
    """
    lent = _lent.get(connection)
    if lent is None:
        finalize(connection, callback)
    else:
        lent.when_settled.append(callback)


@asynccontextmanager
async def turns(connection: PostgresConnection) -> AsyncGenerator[None]:
    """Begin a transaction for statements behind a lock: each sees what was committed before it.

    A connection of another pool, and the transaction of a caller, keep the isolation they have.
    """
    lent = _lent.get(connection)
    if lent is None or lent.connection.info.transaction_status != TransactionStatus.IDLE:
        async with connection.transaction():
            yield
        return
    await lent.connection.set_isolation_level(READ_COMMITTED)
    try:
        async with connection.transaction():
            yield
    finally:
        with suppress(Error):  # of a connection that was lost
            await lent.connection.set_isolation_level(None)


class _Row(PostgresRow):
    """A row of psycopg's, for haiway's own takes none but asyncpg's records."""

    __slots__ = ()

    def __init__(self, values: Mapping[str, PostgresValue]) -> None:
        object.__setattr__(self, "_record", values)


def _wrapped(lent: _Lent) -> PostgresConnection:
    connection = lent.connection

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
            lent.settle()

    return PostgresConnection(
        statement_executing=execute,
        transaction_preparing=cast("Any", transaction),
    )
