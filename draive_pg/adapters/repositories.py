"""draive's repositories and memory over the tables."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from draive import (
    BasicValue,
    ConfigurationRepository,
    InstructionsDeclaration,
    InstructionsRepository,
    Meta,
    ModelInput,
    ModelMemory,
    ModelMemoryRecall,
    ModelOutput,
    ctx,
)
from haiway.postgres import Postgres, PostgresConnection, PostgresRow

from draive_pg.adapters.connection import locking_transaction, on_transaction_end
from draive_pg.adapters.pool import PostgresConnectionPool
from draive_pg.codec.validation import check_limit, check_text
from draive_pg.database._async import AsyncRunner
from draive_pg.database.cache import Cache
from draive_pg.database.observe import Observer
from draive_pg.operations.conversations import recall as recalling
from draive_pg.operations.conversations import write as memory
from draive_pg.operations.conversations.store import OLDEST_LINE
from draive_pg.operations.documents import load, read, write
from draive_pg.operations.documents.kind import CONFIGURATIONS, INSTRUCTIONS
from draive_pg.operations.documents.selectors import RevisionSelector, select
from draive_pg.operations.operation import Operation, Relations, Request, Row, Statement, qualified


def PostgresConfigurationRepository(
    cache_limit: int = 32,
    cache_expiration: float = 600.0,
    *,
    label: str | None = None,
) -> ConfigurationRepository:
    """Return a repository of the ``configurations`` table.

    Parameters
    ----------
    cache_limit : int
        The most configurations to cache; 0 disables the cache.
    cache_expiration : float
        Seconds until a cached value is read again.
    label : str | None
        Serve the snapshots with this label, and no identifiers without it; None: the newest ones.
        A call may select another one by ``label=`` or ``revision=``.

    Returns
    -------
    ConfigurationRepository
        For a scope with a ``Postgres`` state.
    """
    database = _Repository(cache_limit, cache_expiration)
    served = select(label=label)

    async def listing(**extra: Any) -> Sequence[str]:
        return await database.run(read.names(CONFIGURATIONS))

    async def loading(identifier: str, **extra: Any) -> Mapping[str, BasicValue] | None:
        return await database.run(load.load_raw_or_none(identifier, _selector(served, extra)))

    async def defining(identifier: str, value: Mapping[str, BasicValue], **extra: Any) -> None:
        await database.run(write.append_configuration(identifier, value))

    async def removing(identifier: str, **extra: Any) -> None:
        await database.run(write.remove_all(CONFIGURATIONS, identifier))

    return ConfigurationRepository(
        listing=listing, loading=loading, defining=defining, removing=removing
    )


def PostgresInstructionsRepository(
    cache_limit: int = 32,
    cache_expiration: float = 600.0,
    *,
    label: str | None = None,
) -> InstructionsRepository:
    """Return a repository of the ``instructions`` table.

    Parameters
    ----------
    cache_limit : int
        The most instructions to cache; 0 disables the cache.
    cache_expiration : float
        Seconds until a cached value is read again.
    label : str | None
        Serve the revisions with this label, and no names without it; None: the newest revisions.
        ``define`` appends a newest revision, and does not move the label.
        A call may select another one by ``label=`` or ``revision=``.

    Returns
    -------
    InstructionsRepository
        For a scope with a ``Postgres`` state.
    """
    database = _Repository(cache_limit, cache_expiration)
    served = select(label=label)

    async def listing(*, lenient: bool = False, **extra: Any) -> Sequence[InstructionsDeclaration]:
        return await database.run(read.declarations(label=label, lenient=lenient))

    async def loading(name: str, meta: Meta, **extra: Any) -> str | None:
        return await database.run(load.load_text_or_none(name, _selector(served, extra)))

    async def defining(declaration: InstructionsDeclaration, content: str, **extra: Any) -> None:
        await database.run(write.append_instructions(declaration, content=content))

    async def removing(name: str, meta: Meta, **extra: Any) -> None:
        await database.run(write.remove_all(INSTRUCTIONS, name))

    return InstructionsRepository(
        listing=listing, loading=loading, defining=defining, removing=removing
    )


def PostgresModelMemory(
    identifier: str,
    *,
    recall_limit: int | None = None,
) -> ModelMemory:
    """Return one memory of the ``memories`` tables.

    Parameters
    ----------
    identifier : str
        The memory.
    recall_limit : int | None
        The default limit of ``recall``: how many of the newest elements it considers; None: all.

    Returns
    -------
    ModelMemory
        For a scope with a ``Postgres`` state. Its ``recall`` takes
        ``lenient=True``, as `Memory.recall` does.

    Raises
    ------
    TypeError, ValueError
        If the identifier is not a text that PostgreSQL can store, or the limit is not positive.
    """
    check_text(identifier, "identifier")
    check_limit(recall_limit, "recall_limit")
    database = _ScopeDatabase(Cache(0, 1.0))

    async def recall(
        *, limit: int | None = None, lenient: bool = False, **extra: Any
    ) -> ModelMemoryRecall:
        chosen = recall_limit if limit is None else limit
        if lenient:
            return await database.run(recalling.recall_leniently(identifier, chosen))
        return await database.run(recalling.recall(identifier, chosen))

    async def remember(
        *items: ModelInput | ModelOutput,
        variables: Mapping[str, BasicValue] | None = None,
        **extra: Any,
    ) -> None:
        await database.run(memory.remember(identifier, items, variables))

    async def maintenance(
        *, variables: Mapping[str, BasicValue] | None = None, **extra: Any
    ) -> None:
        await database.run(memory.maintain(identifier, variables))

    return ModelMemory(recall=recall, remember=remember, maintenance=maintenance)


def _selector(served: RevisionSelector, extra: Mapping[str, Any]) -> RevisionSelector:
    """Return the selector that a call chooses by keyword, or the repository's own."""
    chosen = {name: extra[name] for name in ("revision", "label") if extra.get(name) is not None}
    return select(**chosen) if chosen else served


class _Repository:
    """Runs the requests of a repository, with a cache for each pool.

    Pools may belong to different tenants, who must not see each other's values.
    """

    def __init__(self, cache_limit: int, cache_expiration: float) -> None:
        self._new_cache = partial(Cache, cache_limit, cache_expiration)
        self._new_cache()  # check the arguments
        self._databases = WeakKeyDictionary[object, _ScopeDatabase]()

    async def run[T](self, request: Request[T]) -> T:
        """Return the result of a request, from the database of the current scope."""
        pool = _pool()
        database = self._databases.get(pool)
        if database is None:
            cache = self._new_cache()
            if isinstance(pool, PostgresConnectionPool):
                pool.caches.add(cache)
            database = self._databases[pool] = _ScopeDatabase(cache)
        return await database.run(request)


def _pool() -> object:
    """Return the pool of the current scope, or its connection if it has no pool."""
    if not ctx.check_state(Postgres):
        return ctx.state(PostgresConnection)
    acquire: Any = ctx.state(Postgres).connection_acquiring
    return getattr(acquire, "__self__", acquire)


_locks = WeakKeyDictionary[PostgresConnection, asyncio.Lock]()


class _ScopeDatabase(AsyncRunner):
    """Runs requests on the ``Postgres`` state of the current scope."""

    def __init__(self, cache: Cache) -> None:
        super().__init__(cache, Observer())

    async def _execute(self, operation: Operation[Any]) -> Any:
        if not operation.statements:
            return operation.decode(())
        statements = await self._resolve(operation.statements, operation.fallback)
        with self._observer.operation(operation.name) as observed:
            try:
                rows = await self._fetch(statements)
            finally:
                self._cache.evict(*operation.invalidates)
                if operation.invalidates and self._in_transaction():
                    # Again at the end of the caller's transaction, when it has committed.
                    evict = partial(self._cache.evict, *operation.invalidates)
                    on_transaction_end(ctx.state(PostgresConnection), evict)
            observed.rows = len(rows)
            return operation.decode(rows)

    async def _conversations(self) -> Relations:
        return OLDEST_LINE

    def _in_transaction(self) -> bool:
        # A caller that holds a connection may be in a transaction; haiway does not say.
        return ctx.check_state(PostgresConnection)

    async def _fetch(self, statements: Sequence[Statement]) -> Sequence[Row]:
        rows: Sequence[PostgresRow] = ()
        async with _connection() as connection:
            if len(statements) == 1:
                rows = await _send(connection, statements[0])
            else:
                async with locking_transaction(connection):
                    for statement in statements:
                        rows = await _send(connection, statement)
        return [tuple(row.values()) for row in rows]


@asynccontextmanager
async def _connection() -> AsyncGenerator[PostgresConnection]:
    """Provide the connection of the caller's scope, else one of the pool.

    haiway forbids acquiring a second one. Tasks that share a connection wait for each other.
    """
    if ctx.check_state(PostgresConnection):
        held = ctx.state(PostgresConnection)
        async with _locks.setdefault(held, asyncio.Lock()):
            yield held
    else:
        async with Postgres.acquire_connection() as connection:
            yield connection


async def _send(connection: PostgresConnection, statement: Statement) -> Sequence[PostgresRow]:
    return await connection.fetch(
        qualified(statement.sql, None).decode(), *(statement.parameters or ())
    )
