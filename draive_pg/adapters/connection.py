"""A psycopg connection as haiway's ``PostgresConnection``.

This is the only module that uses haiway's private interface, which is checked when it is imported.
"""

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from inspect import signature
from typing import Any
from weakref import WeakKeyDictionary, finalize

from haiway.postgres import PostgresConnection, PostgresException, PostgresRow, PostgresValue
from psycopg import AsyncConnection, AsyncCursor, Error
from psycopg.pq import TransactionStatus

from draive_pg.database.driver import READ_COMMITTED
from draive_pg.database.prepared import OUTDATED, UNKNOWN

if "_record" not in PostgresRow.__slots__:
    raise ImportError(
        f"draive_pg.adapters needs haiway 0.35 to 0.59, found {version('haiway')}: PostgresRow has "
        "no slot _record; install the haiway that draive requires"
    )

# From haiway 0.57, statements with and without rows are separate functions.
FETCHES = "statement_fetching" in signature(PostgresConnection).parameters


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """The connection behind a ``PostgresConnection``, and what to call after its transactions."""

    connection: AsyncConnection
    callbacks: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])

    def run_callbacks(self) -> None:
        for callback in self.callbacks:
            callback()


def function_of(connection: PostgresConnection) -> object:
    """Return a function that a connection holds: haiway's states cannot be referenced weakly."""
    state: Any = connection
    return getattr(state, "_statement_executing", None) or state.statement_executing


_wrapped = WeakKeyDictionary[object, _Wrapped]()  # by `function_of` the connection


@contextmanager
def wrapped_connection(connection: AsyncConnection) -> Generator[PostgresConnection]:
    """Provide a psycopg connection as one of haiway's for a block."""
    wrapped = _Wrapped(connection)
    wrapper = _wrapper(wrapped)
    _wrapped[function_of(wrapper)] = wrapped
    try:
        yield wrapper
    finally:
        wrapped.run_callbacks()


def on_transaction_end(connection: PostgresConnection, callback: Callable[[], object]) -> None:
    """Call a function after each transaction of a connection, and when it is released.

    For a connection of another pool it is called when that is garbage-collected.
    """
    wrapped = _wrapped.get(function_of(connection))
    if wrapped is None:
        finalize(function_of(connection), callback)
    else:
        wrapped.callbacks.append(callback)


@asynccontextmanager
async def locking_transaction(connection: PostgresConnection) -> AsyncGenerator[None]:
    """Begin a READ COMMITTED transaction, so that each statement sees what precedes its lock.

    A connection of another pool, or one in a transaction, keeps its isolation level.
    """
    wrapped = _wrapped.get(function_of(connection))
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

    async def run(statement: str, args: Sequence[PostgresValue]) -> AsyncCursor[Any]:
        try:
            return await connection.execute(statement.encode(), args or None)
        except Error as error:
            if error.sqlstate in (*UNKNOWN, *OUTDATED):
                connection.prepare_threshold = None  # it would fail each time
            raise

    async def fetch(statement: str, /, *args: PostgresValue) -> Sequence[PostgresRow]:
        try:
            cursor = await run(statement, args)
            if cursor.description is None:
                return ()
            names = [column.name for column in cursor.description]
            return tuple(
                _Row(dict(zip(names, row, strict=True))) for row in await cursor.fetchall()
            )
        except Error as error:
            raise _exception(error) from error

    async def execute(statement: str, /, *args: PostgresValue) -> str:
        try:
            cursor = await run(statement, args)
        except Error as error:
            raise _exception(error) from error
        return cursor.statusmessage or ""

    @asynccontextmanager
    async def transaction(
        *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False
    ) -> AsyncGenerator[None]:
        modes = [f"ISOLATION LEVEL {isolation.replace('_', ' ')}"] if isolation else []
        modes += ["READ ONLY"] * readonly + ["DEFERRABLE"] * deferrable
        try:
            async with _transaction(connection, modes):
                yield
        finally:
            wrapped.run_callbacks()

    make: Any = PostgresConnection
    if FETCHES:
        return make(
            statement_fetching=fetch,
            statement_executing=execute,
            transaction_preparing=transaction,
        )
    return make(statement_executing=fetch, transaction_preparing=transaction)


@asynccontextmanager
async def _transaction(connection: AsyncConnection, modes: Sequence[str]) -> AsyncGenerator[None]:
    """Run a block in a transaction; errors of BEGIN and COMMIT are those of haiway."""
    raised: BaseException | None = None  # by the block
    try:
        async with connection.transaction():
            if modes:
                await connection.execute(f"SET TRANSACTION {', '.join(modes)}".encode())
            try:
                yield
            except BaseException as error:
                raised = error
                raise
    except Error as error:
        if error is raised:
            raise
        raise _exception(error) from error


def _exception(error: Error) -> PostgresException:
    message = error.diag.message_primary or str(error)
    make: Any = PostgresException
    if FETCHES:
        return make(f"Failed to execute SQL statement: {message}", sqlstate=error.sqlstate)
    code = f" ({error.sqlstate})" if error.sqlstate else ""
    return make(f"Failed to execute SQL statement: {message}{code}")
