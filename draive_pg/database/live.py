"""Changes that anybody commits, heard of by LISTEN, and evicted from caches at once.

The triggers of ``schema/008_notifications.sql`` tell of them. Whenever it is not certain that all
was heard (the listener has just connected, or was cut off), the caches are cleared. Behind a
transaction pooler nothing is heard, and values expire as they do without this.
"""

import asyncio
import json
import select
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import psycopg
from psycopg import AsyncConnection, Connection

from draive_pg.errors import DraivePGError, warn
from draive_pg.operations.operation import Key, Operation, Statement

__all__ = ("Evictable", "Listener", "installed", "listen", "stop_listening", "warn_unless")

LISTEN = "LISTEN draive_pg"

INSTALLED = """
SELECT count(*) = 2
FROM pg_trigger
WHERE tgname = 'draive_pg_notify'
    AND tgrelid IN (
        to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || 'configurations'),
        to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || 'instructions')
    )
"""

# Between attempts to connect; the first comes at once.
PAUSES = (0.0, 0.1, 0.5, 2.0, 5.0)

# A network can drop a connection on which nobody sends; the kernel asks, within two minutes.
CONNECTION: dict[str, Any] = {
    "autocommit": True,
    "keepalives_idle": 60,
    "keepalives_interval": 15,
    "keepalives_count": 4,
}


class Evictable(Protocol):
    """What changes are taken out of: a cache, or several."""

    def evict(self, *stale: Key) -> None:
        """Drop all variants of the given tables and subjects."""
        ...

    def clear(self) -> None:
        """Drop all."""
        ...


def installed(schema: str | None) -> Operation[bool]:
    """Whether the triggers are there that tell of changes."""
    return Operation(
        name="look for the triggers that tell of changes",
        statements=(Statement(INSTALLED, (schema,)),),
        reads=True,
        decode=lambda rows: rows[0][0],
    )


def warn_unless(*, installed: bool) -> None:
    """Say that changes of others will not be heard of, unless the triggers are there."""
    if not installed:
        warn(
            "live=True: the triggers that tell of changes are missing, so a change that another "
            "process makes is seen when the cached value expires; make them with setup() as the "
            "owner of the tables",
            RuntimeWarning,
        )


class Listener:
    """A thread that listens until it is stopped, over a connection of its own."""

    def __init__(self, conninfo: Callable[[], str], cache: Evictable) -> None:
        self._conninfo = conninfo
        self._cache = cache
        self._stopped = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="draive_pg-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait until it has closed its connection."""
        self._stopped.set()
        self._wake.send(b"\0")
        self._thread.join(10.0)
        self._wake.close()
        self._woken.close()

    def _run(self) -> None:
        failures = 0
        while not self._stopped.wait(PAUSES[min(failures, len(PAUSES) - 1)]):
            try:
                with psycopg.connect(self._conninfo(), **CONNECTION) as connection:
                    connection.execute(LISTEN)
                    self._cache.clear()
                    failures = 0
                    self._listen(connection)
            except (psycopg.Error, DraivePGError):
                failures += 1
                self._cache.clear()

    def _listen(self, connection: Connection) -> None:
        news = select.poll()
        news.register(connection.fileno(), select.POLLIN)
        news.register(self._woken, select.POLLIN)
        while not self._stopped.is_set():
            for notify in connection.notifies(timeout=0):
                _heard(self._cache, notify.payload)
            news.poll()


async def listen(conninfo: Callable[[], Awaitable[str]], cache: Evictable) -> None:
    """Async twin of `Listener`: listen until cancelled."""
    failures = 0
    while True:
        await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
        try:
            async with await AsyncConnection.connect(await conninfo(), **CONNECTION) as connection:
                await connection.execute(LISTEN)
                cache.clear()
                failures = 0
                async for notify in connection.notifies():
                    _heard(cache, notify.payload)
        except (psycopg.Error, DraivePGError):
            failures += 1
        finally:
            cache.clear()


async def stop_listening(listener: asyncio.Task[None] | None) -> None:
    """End a task that listens, and wait until it has closed its connection."""
    if listener is not None:
        listener.cancel()
        await asyncio.wait([listener])


def _heard(cache: Evictable, payload: str) -> None:
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError):  # of somebody else's making
        told = None
    match told:
        case [_, str(table), str(subject)]:
            cache.evict(Key(table), Key(table, subject))
        case _:
            cache.clear()
