"""An LRU cache with expiry and single flight, for both clients and the adapters.

On a miss, the first caller is the leader: it inserts an entry, queries the database and sets the
result. Concurrent callers wait for it, so they make one query in all. If an entry is evicted during
the query, only the callers that already wait get its value.
"""

import os
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import RLock, get_ident
from time import monotonic
from typing import Any
from weakref import WeakSet

from cachetools import LRUCache

from draive_pg.codec.validation import is_integer, is_number
from draive_pg.errors import ConnectionFailed, TimedOut
from draive_pg.operations.operation import Key


class Entry(Future[Any]):
    """A cached value, or one that is being read.

    Attributes
    ----------
    expires : float
        Monotonic time when the value expires.
    outdated : bool
        Whether the value may have changed, so that it is read again before it is used.
    previous : Entry | None
        The outdated value, which is used if the server cannot be reached.
    """

    def __init__(self, expires: float) -> None:
        super().__init__()
        self.expires = expires
        self.outdated = False
        self.previous: Entry | None = None
        self._thread = get_ident()
        self.set_running_or_notify_cancel()  # a waiter that is cancelled must not cancel it

    @property
    def is_own(self) -> bool:
        """Whether this thread is reading the value, so that it must not wait for it."""
        return not self.done() and self._thread == get_ident()


type Entries = LRUCache[Key, Entry]


class LeaderInterrupted(Exception):
    """The leader was interrupted; another caller must query."""


def leader_timed_out(name: str, seconds: float | None) -> TimedOut:
    """Return the error for a wait of some seconds for the leader."""
    return TimedOut(
        f"{name}: another caller, which reads the same value, did not get it within {seconds:g} s; "
        "if it may take longer, raise Client(timeout=...)"
    )


class Cache:
    """Cached values of one client or repository.

    Parameters
    ----------
    limit : int
        Maximum number of documents per table; 0 disables the cache. The listing, and revisions
        that were selected by number, are counted separately: they evict no other documents.
    expiration : float
        Seconds until a value expires.

    Raises
    ------
    ValueError
        If the limit is negative or the expiration is not positive.
    """

    def __init__(self, limit: int, expiration: float) -> None:
        if not is_integer(limit) or limit < 0:
            raise ValueError(f"cache_limit must be an int of 0 or more, not {limit!r:.60}")
        if not is_number(expiration) or not expiration > 0:
            raise ValueError(f"cache_expiration must be positive seconds, not {expiration!r:.60}")
        self._limit = limit
        self._expiration = expiration
        self._tables: dict[tuple[str, bool, bool], Entries] = {}
        # Reentrant: garbage collection may end a transaction, which evicts, at any time.
        self._lock = RLock()
        _caches.add(self)

    @property
    def enabled(self) -> bool:
        """Whether anything is cached at all."""
        return self._limit > 0

    def join(self, key: Key) -> tuple[Entry, bool]:
        """Return the entry of a key, and whether the caller is the leader (see `lead`)."""
        now = monotonic()
        with self._lock:
            entries = self._entries(key)
            try:
                found = entries[key]  # `get` would look twice
            except KeyError:
                found = None
            if found is not None and found.expires > now and not found.outdated:
                return found, False
            entry = entries[key] = Entry(now + self._expiration)
            if found is not None:
                previous = found if found.done() else found.previous
                if previous is not None and previous.expires > now:
                    entry.previous = previous
            return entry, True

    @contextmanager
    def lead(self, key: Key, entry: Entry) -> Generator[None]:
        """Set the exception of an entry when the block, which sets its result, fails.

        If the server cannot be reached, the result is the outdated value instead, until it expires.
        """
        try:
            yield
        except BaseException as error:
            previous, entry.previous = entry.previous, None
            with self._lock:
                entries = self._entries(key)
                if entries.get(key) is not entry:
                    previous = None  # evicted
                elif previous is None:
                    del entries[key]
                else:
                    entries[key] = previous
            if previous is not None and isinstance(error, ConnectionFailed):
                entry.set_result(previous.result())
                return
            if not entry.done():
                entry.set_exception(error if isinstance(error, Exception) else LeaderInterrupted())
            raise
        else:
            entry.previous = None

    def evict(self, *stale: Key) -> None:
        """Evict all variants of the given tables and subjects."""
        with self._lock:
            for key in stale:
                for entries, cached in self._variants(key):
                    entries.pop(cached, None)

    def outdate(self, *changed: Key) -> None:
        """Mark all variants of the given keys as outdated, or all values if no key is given."""
        with self._lock:
            for key in changed:
                for entries, cached in self._variants(key):
                    entries[cached].outdated = True
            if not changed:
                for entries in self._tables.values():
                    for entry in entries.values():
                        entry.outdated = True

    def reset_after_fork(self) -> None:
        """Start empty in a forked process, where pending entries would never be set."""
        self._tables.clear()
        self._lock = RLock()

    def _variants(self, key: Key) -> list[tuple[Entries, Key]]:
        return [
            (entries, cached)
            for (table, listing, _), entries in tuple(self._tables.items())
            if (table, listing) == (key.table, key.subject is None)
            for cached in tuple(entries)
            if cached.subject == key.subject
        ]

    def _entries(self, key: Key) -> Entries:
        """Return the entries that a key is counted with."""
        group = (key.table, key.subject is None, key.pinned)
        entries = self._tables.get(group)
        if entries is None:
            limit = min(self._limit, 1) if key.subject is None else self._limit
            entries = self._tables[group] = LRUCache[Key, Entry](limit)
        return entries


_caches = WeakSet[Cache]()


def _reset_after_fork() -> None:
    for cache in tuple(_caches):
        cache.reset_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_reset_after_fork)
