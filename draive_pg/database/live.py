"""LISTEN for committed changes of other processes, and mark cached values as outdated.

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
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, cast

import psycopg
from psycopg import AsyncConnection, Connection

from draive_pg.database.endpoint import Endpoint, conninfo_async
from draive_pg.database.observe import logger
from draive_pg.errors import DraivePGError, warn
from draive_pg.operations.documents.kind import KINDS
from draive_pg.operations.operation import Key, Operation, Query

LISTEN = "LISTEN draive_pg"

TRIGGERS_INSTALLED = Query(
    "live.triggers_installed",
    """
SELECT bool_and(EXISTS (
    SELECT FROM pg_trigger WHERE tgname = 'draive_pg_notify' AND tgrelid = stored.oid
))
FROM (
    SELECT to_regclass(coalesce(quote_ident(:schema::TEXT) || '.', '') || name) AS oid
    FROM unnest(:tables::TEXT[]) AS name
) AS stored
WHERE stored.oid IS NOT NULL
""",
)

# Seconds before each attempt to connect.
PAUSES = (0.0, 0.1, 0.5, 2.0, 5.0)


class Outdatable(Protocol):
    """One or several caches."""

    def outdate(self, *changed: Key) -> None:
        """Mark all variants of the given keys as outdated, or all values if no key is given."""
        ...


def triggers_installed(schema: str | None) -> Operation[bool]:
    """Check whether the triggers that send notifications exist."""
    tables = [kind.table for kind in KINDS]
    return Operation(
        name="look for the triggers that notify of changes",
        statements=(TRIGGERS_INSTALLED(schema=schema, tables=tables),),
        read_only=True,
        decode=lambda rows: bool(rows[0][0]),
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
                "live=True: the triggers that notify of changes are missing, so a change by "
                "another process is seen when the cached value expires; create them with setup() "
                "as the owner of the tables",
                RuntimeWarning,
            )


class ListenerThread:
    """A thread that listens, on a connection of its own, until it is stopped."""

    def __init__(self, conninfo: Callable[[], str], cache: Outdatable) -> None:
        self._conninfo = conninfo
        self._cache = cache
        self._stopped = threading.Event()
        self._waker, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="draive_pg-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait until it has closed its connection."""
        self._stopped.set()
        self._waker.send(b"\0")
        self._thread.join(10.0)
        self._waker.close()
        self._wake.close()

    def _run(self) -> None:
        failures = 0
        while not self._stopped.wait(PAUSES[min(failures, len(PAUSES) - 1)]):
            try:
                with psycopg.connect(self._conninfo(), autocommit=True) as connection:
                    connection.execute(LISTEN)
                    self._cache.outdate()
                    failures = 0
                    self._listen(connection)
            except (psycopg.Error, DraivePGError) as error:
                _log_loss(error, failures)
                failures += 1
        self._cache.outdate()

    def _listen(self, connection: Connection) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._stopped.is_set():
                for notify in connection.notifies(timeout=0):
                    _on_notify(self._cache, notify.payload)
                selector.select()


def start_listening(endpoint: Endpoint, cache: Outdatable) -> asyncio.Task[None]:
    """Start a task that listens, on a connection of its own, until `stop_listening`."""
    listener = asyncio.create_task(_listen(endpoint, cache))
    with suppress(AttributeError):  # private; it avoids a message if the loop is closed before
        cast("Any", listener)._log_destroy_pending = False  # noqa: SLF001
    return listener


async def _listen(endpoint: Endpoint, cache: Outdatable) -> None:
    """Async twin of `ListenerThread`: listen until cancelled."""
    failures = 0
    try:
        while True:
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            try:
                conninfo = await conninfo_async(endpoint)
                connection = await AsyncConnection.connect(conninfo, autocommit=True)
                try:  # `async with` would roll back, and log that it could not
                    await connection.execute(LISTEN)
                    cache.outdate()
                    failures = 0
                    async for notify in connection.notifies():
                        _on_notify(cache, notify.payload)
                finally:
                    await connection.close()
            except (psycopg.Error, DraivePGError) as error:
                _log_loss(error, failures)
                failures += 1
    finally:
        cache.outdate()


async def stop_listening(listener: asyncio.Task[None] | None) -> None:
    """Cancel a listening task, and wait until it has closed its connection."""
    if listener is not None:
        listener.cancel()
        await asyncio.wait([listener])


def _on_notify(cache: Outdatable, payload: str) -> None:
    try:
        change = json.loads(payload)
    except (ValueError, RecursionError):  # not sent by our triggers
        change = None
    match change:
        case [_, str(table), str(subject)]:
            cache.outdate(Key(table), Key(table, subject))
        case _:
            cache.outdate()


def _log_loss(error: Exception, failures: int) -> None:
    if not failures:  # once, not for each attempt
        logger.warning(
            "the listener lost its connection; connecting again: %s", str(error).partition("\n")[0]
        )
