"""An LRU cache with expiry and single flight, for both clients and the adapters.

An entry is a ``Future``. On a miss, the first caller is the leader: it inserts the future, queries
the database and sets the result. Concurrent callers wait for it, so they make one query in all. If
an entry is evicted during the query, only the callers that already wait get its value.
"""

import os
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Lock
from types import UnionType
from typing import Any
from weakref import WeakSet

from cachetools import TTLCache

from draive_pg.operations.operation import Key

type Entries = TTLCache[Key, Future[Any]]


class LeaderInterrupted(Exception):
    """The leader was interrupted; another caller must query."""


class Cache:
    """Cached values of one client or repository.

    Parameters
    ----------
    limit : int
        Maximum number of documents per table, not counting its listing; 0 disables the cache.
    expiration : float
        Seconds until a value expires.

    Raises
    ------
    ValueError
        If the limit is negative or the expiration is not positive.
    """

    def __init__(self, limit: int, expiration: float) -> None:
        if not _is_number(limit, int) or limit < 0:
            raise ValueError(f"cache_limit must be an int of 0 or more, not {limit!r:.60}")
        if not _is_number(expiration, int | float) or not expiration > 0:
            raise ValueError(f"cache_expiration must be positive seconds, not {expiration!r:.60}")
        self._limit = limit
        self._expiration = expiration
        self._tables: dict[tuple[str, bool], Entries] = {}
        self._lock = Lock()
        _caches.add(self)

    @property
    def enabled(self) -> bool:
        """Whether anything is cached at all."""
        return self._limit > 0

    def join(self, key: Key) -> tuple[Future[Any], bool]:
        """Return the future of a key's value, and whether the caller is the leader (see `lead`)."""
        with self._lock:
            entries = self._entries(key)
            try:
                return entries[key], False  # `get` would look twice
            except KeyError:
                entry = Future[Any]()
            entry.set_running_or_notify_cancel()  # a waiter that is cancelled must not cancel it
            entries[key] = entry
            return entry, True

    @contextmanager
    def lead(self, key: Key, entry: Future[Any]) -> Generator[None]:
        """Set the exception of an entry when the block, which sets its result, fails."""
        try:
            yield
        except BaseException as error:
            with self._lock:
                entries = self._entries(key)
                if entries.get(key) is entry:
                    del entries[key]
            if not entry.done():
                entry.set_exception(error if isinstance(error, Exception) else LeaderInterrupted())
            raise

    def evict(self, *stale: Key) -> None:
        """Evict all variants of the given tables and subjects."""
        with self._lock:
            for key in stale:
                if entries := self._tables.get((key.table, key.subject is None)):
                    for cached in [cached for cached in entries if cached.subject == key.subject]:
                        del entries[cached]

    def clear(self) -> None:
        """Evict everything."""
        with self._lock:
            self._tables.clear()

    def reset_after_fork(self) -> None:
        """Start empty in a forked process, where pending entries would never be set."""
        self._tables.clear()
        self._lock = Lock()

    def _entries(self, key: Key) -> Entries:
        """Return the entries of a table's documents, or the entry of its listing."""
        listing = key.subject is None
        entries = self._tables.get((key.table, listing))
        if entries is None:
            limit = min(self._limit, 1) if listing else self._limit
            entries = TTLCache[Key, Future[Any]](limit, self._expiration)
            self._tables[key.table, listing] = entries
        return entries


_caches = WeakSet[Cache]()


def _reset_after_fork() -> None:
    for cache in tuple(_caches):
        cache.reset_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_reset_after_fork)


def _is_number(value: object, kind: type | UnionType) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
