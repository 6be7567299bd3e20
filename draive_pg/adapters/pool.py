"""psycopg's connection pool behind haiway's ``Postgres`` state."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self, cast
from weakref import WeakSet

from haiway.postgres import Postgres, PostgresConnection
from haiway.postgres.config import (
    POSTGRES_CONNECTIONS,
    POSTGRES_DATABASE,
    POSTGRES_HOST,
    POSTGRES_PASSWORD,
    POSTGRES_PORT,
    POSTGRES_SSLMODE,
    POSTGRES_USER,
)
from psycopg import AsyncConnection
from psycopg.types.string import TextLoader

from draive_pg.adapters.connection import lending
from draive_pg.codec.validation import check_timeout
from draive_pg.database.cache import Cache
from draive_pg.database.endpoint import Given, Target, conninfo_async, parameters_of, target_of
from draive_pg.database.live import installed, listen, stop_listening, warn_unless
from draive_pg.database.pool import AsyncPool
from draive_pg.operations.operation import Key, qualified

__all__ = ("CACHES", "PostgresConnectionPool")

TIMEOUT = 300.0  # seconds

# What haiway reads in a DSN beside what libpq does.
LIMITS = ("connections", "connection_limit", "maxsize", "max_size")

# Where a DSN is silent, haiway's defaults hold, unless libpq was given its own. Of the password the
# default counts only if somebody set it, or it would keep libpq from its password file.
DEFAULTS = {
    "host": ("PGHOST", POSTGRES_HOST),
    "port": ("PGPORT", POSTGRES_PORT),
    "dbname": ("PGDATABASE", POSTGRES_DATABASE),
    "user": ("PGUSER", POSTGRES_USER),
    "password": ("PGPASSWORD", os.environ.get("POSTGRES_PASSWORD")),
}


class PostgresConnectionPool:
    """Disposable that provides a scope with a ``Postgres`` state over psycopg's pool.

    Parameters
    ----------
    host, port, database, user, password : str
        Where and as whom to connect.
    ssl : str
        libpq's ``sslmode``.
    connection_limit : int
        The most connections.
    """

    def __init__(
        self,
        *,
        host: str = POSTGRES_HOST,
        port: str = POSTGRES_PORT,
        database: str = POSTGRES_DATABASE,
        user: str = POSTGRES_USER,
        password: str = POSTGRES_PASSWORD,
        ssl: str = POSTGRES_SSLMODE,
        connection_limit: int = POSTGRES_CONNECTIONS,
    ) -> None:
        self._target: Target = Given(
            {
                "host": host,
                "port": port,
                "dbname": database,
                "user": user,
                "password": password,
                "sslmode": ssl,
            }
        )
        self._connection_limit = connection_limit
        self._pool: AsyncPool | None = None
        self._live = False
        self._timeout: float | None = TIMEOUT
        self._listener: asyncio.Task[None] | None = None

    @classmethod
    def of(
        cls,
        dsn: str | None = None,
        *,
        ssl: str = POSTGRES_SSLMODE,
        connection_limit: int = POSTGRES_CONNECTIONS,
        live: bool = False,
        timeout: float | None = TIMEOUT,
    ) -> Self:
        """Return a pool for a DSN, as libpq reads it.

        Parameters
        ----------
        dsn : str | None
            A URI or keywords. As with haiway, ``connection_limit`` (or ``connections``,
            ``maxsize``, ``max_size``) and ``ssl`` in a URI's query override the arguments. None
            for ``$DRAIVE_PG_DSN``, and without that for the embedded PostgreSQL, as `Client`.
        ssl : str
            libpq's ``sslmode``, where the DSN does not say.
        connection_limit : int
            The most connections.
        live : bool
            Listen, over one more connection, for changes that any process makes to prompts and
            configurations, so that this module's repositories of this process see them at once.
        timeout : float | None
            Seconds for which an answer of the server is waited for; None for as long as it takes.

        Raises
        ------
        ValueError
            If libpq cannot read the DSN, or the limit in it is no number.
        """
        if dsn is None:
            pool = cls(connection_limit=connection_limit)
            pool._target = target_of(None)
            pool._live, pool._timeout = live, check_timeout(timeout)
            return pool
        dsn, extras = _without_extras(dsn)
        parameters = parameters_of(dsn)
        defaults = {
            key: default
            for key, (variable, default) in DEFAULTS.items()
            if default is not None and variable not in os.environ and "service" not in parameters
        }
        limits = [int(extras[key]) for key in LIMITS if key in extras]
        pool = cls(connection_limit=limits[0] if limits else connection_limit)
        pool._target = Given({**defaults, "sslmode": extras.get("ssl", ssl), **parameters})
        pool._live, pool._timeout = live, check_timeout(timeout)
        return pool

    async def __aenter__(self) -> Postgres:
        conninfo = partial(conninfo_async, self._target)
        pool = AsyncPool(
            conninfo, self._connection_limit, self._timeout, configure=_read_json_as_text
        )
        await pool.open()
        self._pool = pool
        if self._live:
            try:
                await self._warn_if_deaf()
            except BaseException:
                await pool.close()
                raise
            self._listener = asyncio.create_task(listen(conninfo, CACHES))
        return Postgres(connection_acquiring=cast("Any", self.acquire_connection))

    async def _warn_if_deaf(self) -> None:
        told = installed(schema=None)
        (statement,) = told.statements
        async with self.acquire_connection() as connection:
            rows = await connection.fetch(
                qualified(statement.sql, None).decode(), *(statement.parameters or ())
            )
        warn_unless(installed=told.decode([tuple(row.values()) for row in rows]))

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await stop_listening(self._listener)
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()
        await asyncio.to_thread(self._target.close)

    @asynccontextmanager
    async def acquire_connection(self) -> AsyncGenerator[PostgresConnection]:
        """Provide a ``PostgresConnection`` for the length of a block."""
        if self._pool is None:
            raise RuntimeError("acquire a connection: the pool's scope has not been entered")
        pool = self._pool
        connection = await pool.acquire()
        try:
            with lending(connection) as lent:
                yield lent
        finally:
            await pool.release(connection)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._target!r}, limit={self._connection_limit})"


class _Caches:
    """The caches of all repositories of this process, as one."""

    def __init__(self) -> None:
        self._caches = WeakSet[Cache]()

    def add(self, cache: Cache) -> None:
        self._caches.add(cache)

    def evict(self, *stale: Key) -> None:
        for cache in self._caches:
            cache.evict(*stale)

    def clear(self) -> None:
        for cache in self._caches:
            cache.clear()


CACHES = _Caches()


async def _read_json_as_text(connection: AsyncConnection) -> None:
    """Return JSON as asyncpg does: a ``PostgresValue`` is no dict."""
    for name in ("json", "jsonb"):
        connection.adapters.register_loader(name, TextLoader)


def _without_extras(dsn: str) -> tuple[str, dict[str, str]]:
    """Split off what haiway reads in a URI's query and libpq would refuse."""
    if not dsn.startswith(("postgres://", "postgresql://")):
        return dsn, {}
    address, _, query = dsn.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    extras = {key: value for key, _, value in pairs if key in (*LIMITS, "ssl")}
    kept = "&".join("".join(pair) for pair in pairs if pair[0] not in extras)
    return f"{address}?{kept}" if kept else address, extras
