"""Run requests on the ``Postgres`` state of a draive scope, with the caches of repositories."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Never
from weakref import WeakKeyDictionary

from draive import ctx
from haiway.postgres import Postgres, PostgresConnection, PostgresRow

from draive_pg.adapters.connection import function_of, locking_transaction, on_transaction_end
from draive_pg.adapters.pool import PostgresConnectionPool
from draive_pg.database._async import AsyncRunner
from draive_pg.database.cache import Cache
from draive_pg.database.endpoint import schema_of
from draive_pg.database.errors import is_outage
from draive_pg.database.notifications import TriggerCheck
from draive_pg.database.observe import Observer, logger
from draive_pg.database.tables import Tables
from draive_pg.errors import DocumentMissing, RevisionMissing
from draive_pg.lines.line import LINE_89
from draive_pg.operations.admin.draive_tables import create
from draive_pg.operations.documents.kind import DocumentKind
from draive_pg.operations.documents.load import missing_selected
from draive_pg.operations.documents.load import preload as preloading
from draive_pg.operations.documents.selectors import RevisionSelector, select
from draive_pg.operations.operation import (
    Operation,
    Preload,
    Relations,
    Request,
    Row,
    Statement,
    qualified,
)


def has_state(kind: type[Any]) -> bool:
    """Return whether the current scope has a state; haiway renamed its function."""
    return (getattr(ctx, "contains_state", None) or ctx.check_state)(kind)


def loading_of(repository: Any) -> Callable[..., Any]:
    """Return the function of a repository that loads; draive renamed it in 0.100."""
    return getattr(repository, "_loading", None) or repository.loading


async def migrate(table: str) -> None:
    """Create a table of draive, on the ``Postgres`` state of the current scope."""
    await ScopeDatabase(Cache(0, 1.0), schema_of(None)).run(create(table))


class Unavailable(Mapping[str, Any]):
    """A configuration that could not be read: its use raises the error.

    haiway would take an exception of a repository for a missing configuration, and use defaults.
    """

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getitem__(self, key: str) -> Never:
        raise self._error

    def __iter__(self) -> Iterator[str]:
        raise self._error

    def __len__(self) -> int:
        raise self._error


class Repository:
    """Runs the requests of a repository, with a cache for each pool.

    Pools may belong to different tenants, who must not see each other's values.

    Parameters
    ----------
    kind : DocumentKind
        The kind of its documents.
    label : str | None
        Serve the revisions with this label; None: the newest ones.
    schema : str | None
        The schema of the tables; None: ``$DRAIVE_PG_SCHEMA``, else the search path.
    new_cache : callable
        Returns an empty cache.
    preload : bool
        Whether to fill the cache before the first load from a pool.
    """

    def __init__(
        self,
        kind: DocumentKind[Any, Any],
        label: str | None,
        schema: str | None,
        new_cache: Callable[[], Cache],
        *,
        preload: bool,
    ) -> None:
        new_cache()  # check the arguments
        self._new_cache = new_cache
        self._kind = kind
        self._served = select(label=label)
        self._schema = schema_of(schema)
        self._preload = partial(preloading, (kind,), label) if preload else None
        self._databases = WeakKeyDictionary[object, ScopeDatabase]()
        self._by_fallback = set[str]()  # names, to log each once per outage
        self._unlabelled = set[str]()  # names, to log each once

    async def load[T](
        self,
        name: str,
        extra: Mapping[str, Any],
        request: Callable[..., Request[T | None]],
        fallback: Callable[[], Awaitable[T | None]] | None,
    ) -> T | None:
        """Return the selected revision of a name; during an outage, what a fallback has.

        Parameters
        ----------
        name : str
            The name.
        extra : Mapping[str, Any]
            The arguments of the call: ``label`` or ``revision`` select another revision.
        request : callable
            Called with the argument ``selector``; returns the request.
        fallback : callable | None
            Returns what the fallback has of the name, or None.
        """
        chosen = {key: extra[key] for key in ("revision", "label") if extra.get(key) is not None}
        selector = select(**chosen) if chosen else self._served
        try:
            if self._preload is not None:
                await self._database().preload(self._preload)
            result = await self.run(request(selector=selector))
        except Exception as error:
            if fallback is None or not is_outage(error):
                raise
            found = await fallback()
            if found is None:
                raise
            if name not in self._by_fallback:
                self._by_fallback.add(name)
                logger.warning(
                    "serving %.80r of the fallback, because the server does not answer: %s",
                    *(name, error),
                )
            return found
        self._by_fallback.discard(name)
        if result is None and selector.label is not None:
            await self._warn_if_unlabelled(name, selector)
        return result

    async def _warn_if_unlabelled(self, name: str, selector: RevisionSelector) -> None:
        """Log once if there is a document of the name, but no revision with the label."""
        if name not in self._unlabelled:
            self._unlabelled.add(name)
            try:
                await self.run(missing_selected(self._kind, name, selector)())
            except RevisionMissing as error:
                logger.warning("serving nothing: %s", error)
            except DocumentMissing:
                pass  # the caller reports it

    async def run[T](self, request: Request[T]) -> T:
        """Return the result of a request, from the database of the current scope."""
        return await self._database().run(request)

    def _database(self) -> "ScopeDatabase":
        pool = _pool()
        database = self._databases.get(pool)
        if database is None:
            cache, live = self._new_cache(), False
            if isinstance(pool, PostgresConnectionPool):
                pool.caches.add(cache)
                live = pool.live
            database = self._databases[pool] = ScopeDatabase(cache, self._schema, live=live)
        return database


def _pool() -> object:
    """Return what identifies the pool of the current scope, or its connection without a pool."""
    if not has_state(Postgres):
        return function_of(ctx.state(PostgresConnection))
    state: Any = ctx.state(Postgres)
    acquire = getattr(state, "_connection_acquiring", None) or state.connection_acquiring
    pool = getattr(acquire, "__self__", None)
    return pool if isinstance(pool, PostgresConnectionPool) else acquire


_locks = WeakKeyDictionary[object, asyncio.Lock]()  # by `function_of` the connection


# A statement with a placeholder for a relation of conversations is refused.
NO_CONVERSATIONS = Relations(LINE_89, {})


class ScopeDatabase(AsyncRunner):
    """Runs requests on the ``Postgres`` state of the current scope."""

    def __init__(
        self,
        cache: Cache,
        schema: str | None,
        *,
        live: bool = False,
        relations: Relations = NO_CONVERSATIONS,
    ) -> None:
        self.schema = schema
        self._cache = cache
        self._observer = Observer()
        self._trigger_check = TriggerCheck(needed=live)
        self._tables = Tables(schema, relations=relations)
        self._preloading = asyncio.Lock()
        self._preloaded = False

    async def preload(self, request: Callable[[], Preload[int]]) -> None:
        """Fill the cache once, outside of transactions; other callers wait for that."""
        if not self._preloaded and not self._in_transaction():
            async with self._preloading:
                if not self._preloaded:
                    await self.run(request())
                    self._preloaded = True

    async def _execute(self, operation: Operation[Any], patience: float | None = None) -> Any:
        statements = await self._resolve(operation.statements, operation.fallback)
        if not statements:
            return operation.decode(())
        with self._observer.operation(operation.name) as observed:
            failed = True
            try:
                async with asyncio.timeout(patience):
                    rows = await self._fetch(statements)
                failed = False
            finally:
                self._cache.invalidate(operation.invalidates, failed=failed)
                if operation.invalidates and self._in_transaction():
                    # Again at the end of the caller's transaction, when it has committed.
                    evict = partial(self._cache.evict, *operation.invalidates)
                    on_transaction_end(ctx.state(PostgresConnection), evict)
            observed.rows = len(rows)
            return operation.decode(rows)

    def _known_tables(self) -> Tables:
        return self._tables

    def _in_transaction(self) -> bool:
        # A caller that holds a connection may be in a transaction; haiway does not say.
        return has_state(PostgresConnection)

    async def _fetch(self, statements: Sequence[Statement]) -> Sequence[Row]:
        rows: Sequence[PostgresRow] = ()
        async with _connection() as connection:
            if len(statements) == 1:
                rows = await self._send(connection, statements[0])
            else:
                async with locking_transaction(connection):
                    for statement in statements:
                        rows = await self._send(connection, statement)
        return [tuple(row.values()) for row in rows]

    async def _send(
        self, connection: PostgresConnection, statement: Statement
    ) -> Sequence[PostgresRow]:
        return await connection.fetch(
            qualified(statement.sql, self.schema).decode(), *(statement.parameters or ())
        )


@asynccontextmanager
async def _connection() -> AsyncGenerator[PostgresConnection]:
    """Provide the connection of the caller's scope, else one of the pool.

    haiway forbids acquiring a second one. Tasks that share a connection wait for each other.
    """
    if has_state(PostgresConnection):
        held = ctx.state(PostgresConnection)
        async with _locks.setdefault(function_of(held), asyncio.Lock()):
            yield held
    else:
        async with Postgres.acquire_connection() as connection:
            yield connection
