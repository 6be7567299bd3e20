"""A pool of psycopg connections behind haiway's ``Postgres`` state."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self, cast
from weakref import WeakSet

from haiway.postgres import Postgres, PostgresConnection
from psycopg.types.array import ListDumper
from psycopg.types.string import TextLoader

from draive_pg.adapters.connection import wrapped_connection
from draive_pg.adapters.settings import (
    MERGED,
    POSTGRES_CONNECTIONS,
    POSTGRES_DATABASE,
    POSTGRES_HOST,
    POSTGRES_PASSWORD,
    POSTGRES_PORT,
    POSTGRES_SSLMODE,
    POSTGRES_USER,
)
from draive_pg.codec.validation import check_timeout
from draive_pg.database._async import open_connection
from draive_pg.database.cache import Cache
from draive_pg.database.deadline import Deadline
from draive_pg.database.driver import AsyncTimedConnection
from draive_pg.database.endpoint import (
    DsnEndpoint,
    Endpoint,
    endpoint_of,
    parameters_of,
)
from draive_pg.database.errors import short_argument_errors
from draive_pg.database.notifications import outdate, start_listening, stop_listening
from draive_pg.database.observe import logger
from draive_pg.database.pool import AsyncPool
from draive_pg.database.prepared import Preparing, preparing
from draive_pg.errors import ConnectionFailed
from draive_pg.operations.operation import Key

TIMEOUT = 300.0  # seconds

# Parameters in the query of a URI that haiway knows and libpq does not.
LIMITS = ("connections", "connection_limit", "maxsize", "max_size")

# haiway's defaults for what the DSN does not say, unless libpq's variable is set. The password's
# default is used only if it is set explicitly; otherwise libpq would not read ~/.pgpass.
DEFAULTS = {
    "host": ("PGHOST", POSTGRES_HOST),
    "port": ("PGPORT", POSTGRES_PORT),
    "dbname": ("PGDATABASE", POSTGRES_DATABASE),
    "user": ("PGUSER", POSTGRES_USER),
    "password": ("PGPASSWORD", os.environ.get("POSTGRES_PASSWORD")),
}


class Caches:
    """The caches of the repositories that use one pool."""

    def __init__(self) -> None:
        self._caches = WeakSet[Cache]()

    def add(self, cache: Cache) -> None:
        self._caches.add(cache)

    def outdate(self, *changed: Key) -> None:
        for cache in self._caches:
            cache.outdate(*changed)


class PostgresConnectionPool:
    """Disposable that provides a scope with a ``Postgres`` state over psycopg.

    Parameters
    ----------
    host, port, database, user, password : str
        The server, the database and the role.
    ssl : str
        libpq's ``sslmode``.
    connection_limit : int
        The most connections.
    acquire_timeout, command_timeout : float | None
        Seconds to wait for a connection, and for each answer of the server; 0: no limit; None: 300.
    close_timeout, statement_cache : float | None
        For haiway's arguments of these names: connections are closed at once, and ``prepare`` of
        `of` says whether statements are prepared.
    initialize : None
        Not supported, because it gets a connection of asyncpg.

    Attributes
    ----------
    live : bool
        Whether it listens for changes.
    caches : Caches
        The caches of the repositories that use this pool.
    """

    def __init__(  # noqa: PLR0913 - haiway's
        self,
        *,
        host: str = POSTGRES_HOST,
        port: str = POSTGRES_PORT,
        database: str = POSTGRES_DATABASE,
        user: str = POSTGRES_USER,
        password: str | None = POSTGRES_PASSWORD,
        ssl: str = POSTGRES_SSLMODE,
        connection_limit: int = POSTGRES_CONNECTIONS,
        acquire_timeout: float | None = None,
        command_timeout: float | None = None,
        close_timeout: float | None = None,  # noqa: ARG002
        statement_cache: int | None = None,  # noqa: ARG002
        initialize: None = None,
    ) -> None:
        if initialize is not None:
            raise TypeError("initialize gets a connection of asyncpg, which this pool has not")
        self._endpoint: Endpoint = DsnEndpoint(
            {
                "host": host,
                "port": port,
                "dbname": database,
                "user": user,
                "password": password,
                "sslmode": ssl,
            }
        )
        self.caches = Caches()
        self._preparing = preparing(self._endpoint, wanted=None)
        self._connection_limit = connection_limit
        self._pool: AsyncPool | None = None
        self.live = False
        self._start_offline = False
        self._timeout = _timeout(command_timeout)
        self._acquire_timeout = _timeout(acquire_timeout)
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
        start_offline: bool = False,
        prepare: bool | None = None,
        **options: Any,
    ) -> Self:
        """Return a pool for a DSN, as libpq reads it.

        Parameters
        ----------
        dsn : str | None
            A URI or keywords. As with haiway, ``connection_limit`` (or ``connections``,
            ``maxsize``, ``max_size``) and ``ssl`` in a URI's query override the arguments. None
            for ``$DRAIVE_PG_DSN``, and without that for the embedded PostgreSQL, as `Client`.
        ssl : str
            libpq's ``sslmode``, unless the DSN has one.
        connection_limit : int
            The most connections.
        live : bool
            Listen, on one more connection, for changes that any process makes to prompts and
            configurations, so that the repositories of this process see them at once.
        timeout : float | None
            Seconds to wait for each answer of the server; None: no limit.
        start_offline : bool
            Enter the scope also if the server does not answer, with a WARNING in the log, and
            connect later. Otherwise that is an error, which shows a wrong address at once.
        prepare : bool | None
            Prepare statements, as for `Client`.
        **options
            Other arguments of the class.

        Raises
        ------
        ValueError
            If libpq cannot read the DSN, or the limit in it is no number.
        """
        with short_argument_errors:  # also removes frames whose variables contain the DSN
            if dsn is None:
                endpoint = endpoint_of(None)
            else:
                dsn, extras = _without_extras(dsn)
                parameters = parameters_of(dsn)
                defaults = {
                    key: default
                    for key, (variable, default) in DEFAULTS.items()
                    if MERGED
                    and default is not None
                    and variable not in os.environ
                    and "service" not in parameters
                }
                ssl = extras.get("ssl", ssl)
                if MERGED or "ssl" in extras:
                    defaults["sslmode"] = ssl
                endpoint = DsnEndpoint({**defaults, **parameters})
                for key in LIMITS:
                    if key in extras:
                        connection_limit = _number(key, extras[key])
                        break
            options.setdefault("command_timeout", check_timeout(timeout) or 0)
            options.setdefault("acquire_timeout", options["command_timeout"])
            pool = cls(connection_limit=connection_limit, **options)
            pool._endpoint = endpoint
            pool._preparing = preparing(endpoint, wanted=prepare)
            pool.live = live
            pool._start_offline = start_offline
            return pool

    async def __aenter__(self) -> Postgres:
        pool = AsyncPool(partial(_connect, self._endpoint, self._preparing), self._connection_limit)
        try:
            pool.release(await pool.acquire(Deadline(self._acquire_timeout)))
        except ConnectionFailed as error:
            if not self._start_offline:
                raise
            logger.warning("starting although the server does not answer: %s", error)
        self._pool = pool
        if self.live:
            take = partial(outdate, self.caches)
            self._listener = start_listening(self._endpoint, take, self.caches.outdate)
        return Postgres(connection_acquiring=cast("Any", self.acquire_connection))

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
        try:
            await stop_listening(self._listener)
        finally:  # also if the scope is cancelled once more
            await asyncio.to_thread(self._endpoint.close)

    @asynccontextmanager
    async def acquire_connection(self) -> AsyncGenerator[PostgresConnection]:
        """Provide a ``PostgresConnection`` for a block."""
        if self._pool is None:
            raise RuntimeError("acquire a connection: the pool's scope has not been entered")
        pool = self._pool
        connection = await pool.acquire(Deadline(self._acquire_timeout))
        connection.call_timeout = self._timeout
        try:
            with wrapped_connection(connection) as wrapper:
                yield wrapper
        finally:
            pool.release(connection)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._endpoint!r}, limit={self._connection_limit})"


async def _connect(
    endpoint: Endpoint, preparing: Preparing, deadline: Deadline
) -> AsyncTimedConnection:
    connection = await open_connection(endpoint, preparing, deadline)
    if preparing.enabled:
        connection.prepare_threshold = 1  # at the second use, by psycopg
    for name in ("json", "jsonb"):  # as text, as asyncpg does: a ``PostgresValue`` is no dict
        connection.adapters.register_loader(name, TextLoader)
    for sequence in (list, tuple):  # any is an array of the type that the server infers, as there
        connection.adapters.register_dumper(sequence, ListDumper)
    # psycopg reads timestamps as text, in this style only; asyncpg in any.
    if not (connection.info.parameter_status("DateStyle") or "").startswith("ISO"):
        await connection.execute("SELECT set_config('DateStyle', 'ISO', FALSE)")
    return connection


def _timeout(seconds: float | None) -> float | None:
    """Return a timeout of haiway's settings, of which 0 is no limit."""
    return TIMEOUT if seconds is None else check_timeout(seconds or None)


def _number(name: str, value: str) -> int:
    if not value.isdecimal():
        raise ValueError(f"{name} in the DSN must be a number")
    return int(value)


def _without_extras(dsn: str) -> tuple[str, dict[str, str]]:
    """Split off the query parameters of a URI that haiway knows and libpq would refuse."""
    if not dsn.startswith(("postgres://", "postgresql://")):
        return dsn, {}
    address, _, query = dsn.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    extras = {key: value for key, _, value in pairs if key in (*LIMITS, "ssl")}
    kept = "&".join("".join(pair) for pair in pairs if pair[0] not in extras)
    return f"{address}?{kept}" if kept else address, extras
