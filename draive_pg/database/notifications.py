"""LISTEN for committed changes of all processes: for `changes`, and to outdate cached values.

The triggers of ``schema/008_notifications.sql`` send the notifications. A changed value is read
again before it is used. Whenever the listener connects, all values are marked, because it may have
missed notifications. While the server cannot be reached, outdated values stay in use. A transaction
pooler delivers no notifications; cached values then only expire.
"""

import asyncio
import json
import selectors
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from contextlib import aclosing, suppress
from typing import Any, Protocol, cast

import psycopg
from psycopg import AsyncConnection, Connection

from draive_pg.database.endpoint import Endpoint, conninfo_async
from draive_pg.database.observe import logger
from draive_pg.errors import DraivePGError, warn
from draive_pg.models.changes import Change
from draive_pg.operations.documents.kind import KINDS
from draive_pg.operations.operation import Key, Operation, Query, read_rows

LISTEN = "LISTEN draive_pg"

TRIGGERS_INSTALLED = Query(
    "live.triggers_installed",
    """
SELECT bool_and(EXISTS (
    SELECT FROM pg_trigger WHERE tgname = 'draive_pg_notify' AND tgrelid = stored.oid
))
FROM (
    SELECT name, to_regclass(coalesce(quote_ident(:schema::TEXT) || '.', '') || name) AS oid
    FROM unnest(:tables::TEXT[]) AS name
) AS stored
WHERE stored.oid IS NOT NULL
    AND (
        name <> 'templates'  -- a table of others may have this name
        OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = stored.oid AND attname = 'variables')
    )
""",
)

SCHEMAS = Query(
    "live.schemas",
    """
SELECT DISTINCT namespace.nspname::TEXT
FROM unnest(:tables::TEXT[]) AS name
JOIN pg_class AS stored
    ON stored.oid = to_regclass(coalesce(quote_ident(:schema::TEXT) || '.', '') || name)
JOIN pg_namespace AS namespace ON namespace.oid = stored.relnamespace
""",
)

# Seconds before each attempt to connect.
PAUSES = (0.0, 0.1, 0.5, 2.0, 5.0)

MISSED = Change(schema=None, kind=None, name=None, missed=True)


class Outdatable(Protocol):
    """One or several caches."""

    def outdate(self, *changed: Key) -> None:
        """Mark all variants of the given keys as outdated, or all values if no key is given."""
        ...


def triggers_installed(schema: str | None) -> Operation[bool]:
    """Check whether the triggers that send notifications exist."""
    tables = [kind.table for kind in KINDS]
    return read_rows(
        "look for the triggers that notify of changes",
        TRIGGERS_INSTALLED(schema=schema, tables=tables),
        lambda rows: bool(rows[0][0]),
    )


def own_schemas(schema: str | None) -> Operation[frozenset[str]]:
    """Return the schemas of the tables, as notifications name them."""
    return read_rows(
        "look for the schema of the tables",
        SCHEMAS(schema=schema, tables=[kind.table for kind in KINDS]),
        lambda rows: frozenset(row[0] for row in rows),
    )


class TriggerCheck:
    """Whether it is still to be checked that the triggers exist; a warning if they do not."""

    def __init__(self, *, needed: bool) -> None:
        self.needed = needed

    def report(self, *, installed: bool) -> None:
        """Warn of missing triggers, once."""
        first, self.needed = self.needed, False
        if first and not installed:
            warn(
                "the triggers that notify of changes are missing, so changes by other processes "
                "are not seen at once; create them with setup() as the owner of the tables",
                RuntimeWarning,
            )


class Listener:
    """Receives notifications, on a connection of its own, until it is stopped.

    Parameters
    ----------
    conninfo : callable
        Returns the connection string.
    """

    def __init__(self, conninfo: Callable[[], str]) -> None:
        self._conninfo = conninfo
        self._stopped = threading.Event()
        self._waker, self._wake = socket.socketpair()
        self._closing = threading.RLock()  # no byte is sent to a closed socket

    def stop(self) -> None:
        """End `changes`, which may run in another thread."""
        with self._closing:
            if not self._stopped.is_set():
                self._stopped.set()
                self._waker.send(b"\0")

    def changes(self) -> Generator[Change]:
        """Yield a missed change for each new connection, then the changes."""
        failures = 0
        try:
            while not self._stopped.wait(PAUSES[min(failures, len(PAUSES) - 1)]):
                try:
                    with psycopg.connect(self._conninfo(), autocommit=True) as connection:
                        connection.execute(LISTEN)
                        yield MISSED
                        failures = 0
                        yield from self._receive(connection)
                except (psycopg.Error, DraivePGError) as error:
                    _log_loss(error, failures)
                    failures += 1
        finally:
            with self._closing:
                self._stopped.set()
                self._waker.close()
                self._wake.close()

    def _receive(self, connection: Connection) -> Generator[Change]:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._stopped.is_set():
                for notify in connection.notifies(timeout=0):
                    yield _change(notify.payload)
                selector.select()


class ListenerThread:
    """A thread that outdates cached values when they change, until it is stopped."""

    def __init__(self, conninfo: Callable[[], str], cache: Outdatable) -> None:
        self._listener = Listener(conninfo)
        self._cache = cache
        self._thread = threading.Thread(target=self._run, name="draive_pg-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait until it has closed its connection."""
        self._listener.stop()
        self._thread.join(10.0)

    def _run(self) -> None:
        try:
            for change in self._listener.changes():
                outdate(self._cache, change)
        finally:
            self._cache.outdate()


def start_listening(
    endpoint: Endpoint, take: Callable[[Change], object], end: Callable[[], object]
) -> asyncio.Task[None]:
    """Start a task that takes changes until `stop_listening`, and calls ``end`` when it ends."""

    async def listen() -> None:
        try:
            async with aclosing(changes(endpoint)) as received:
                async for change in received:
                    take(change)
        finally:
            end()

    listener = asyncio.create_task(listen())
    with suppress(AttributeError):  # private; it avoids a message if the loop is closed before
        cast("Any", listener)._log_destroy_pending = False  # noqa: SLF001
    return listener


async def stop_listening(listener: asyncio.Task[None] | None) -> None:
    """Cancel a listening task, and wait until it has closed its connection."""
    if listener is not None:
        listener.cancel()
        await asyncio.wait([listener])


async def changes(endpoint: Endpoint) -> AsyncGenerator[Change]:
    """Async version of `Listener.changes`: yield changes until it is closed."""
    failures = 0
    while True:
        await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
        try:
            conninfo = await conninfo_async(endpoint)
            connection = await AsyncConnection.connect(conninfo, autocommit=True)
            try:  # `async with` would roll back, and log that it could not
                await connection.execute(LISTEN)
                yield MISSED
                failures = 0
                async for notify in connection.notifies():
                    yield _change(notify.payload)
            finally:
                await connection.close()
        except (psycopg.Error, DraivePGError) as error:
            _log_loss(error, failures)
            failures += 1


class Filter:
    """Select the changes that one caller of `changes` receives, by schema."""

    def __init__(self, schemas: Collection[str]) -> None:
        self._schemas = schemas
        self._connected = False

    def accepts(self, change: Change) -> bool:
        """Return whether the caller gets a change: not the first one, at which it connects."""
        first, self._connected = not self._connected, True
        return change.schema in self._schemas or (change.missed and not first)


def _change(payload: str) -> Change:
    """Return the change of a notification; a missed one if it is not from our triggers."""
    try:
        sent = json.loads(payload)
    except (ValueError, RecursionError):
        sent = None
    match sent:
        case [str(schema), str(table), str() | None as name]:
            return Change(schema=schema, kind=table, name=name, missed=False)
        case _:
            return MISSED


def outdate(cache: Outdatable, change: Change) -> None:
    """Mark the cached values that a change affects as outdated."""
    if change.kind is None or change.name is None:
        cache.outdate()
    else:
        cache.outdate(Key(change.kind), Key(change.kind, change.name))


def _log_loss(error: Exception, failures: int) -> None:
    if not failures:  # once, not for each attempt
        logger.warning(
            "the listener lost its connection; connecting again: %s", str(error).partition("\n")[0]
        )
