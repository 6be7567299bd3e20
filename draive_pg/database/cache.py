"""An LRU cache with expiry and single flight, for both clients and the adapters.

On a miss, the first caller is the leader: it inserts an entry, queries the database and sets the
result. Concurrent callers wait for it, so they make one query in all. If an entry is evicted during
the query, only the callers that already wait get its value.

A value is refreshed shortly before it expires: the leader queries, the others use the cached value.
During an outage, the last known value of a document is served, also after it expired, for
``stale_if_error`` seconds. A query that would replace a known value has little time, and after a
failed one no other is tried for a while, so that an outage does not delay every call.
"""

import os
from collections import Counter, OrderedDict
from collections.abc import Collection, Generator, Iterable, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from threading import RLock, get_ident
from time import monotonic
from typing import Any
from weakref import WeakSet

from draive_pg.codec.validation import is_integer, is_number
from draive_pg.database.errors import is_outage
from draive_pg.database.observe import logger
from draive_pg.errors import TimedOut
from draive_pg.operations.operation import Key

# The part of its lifetime after which a value is refreshed.
REFRESH = 0.8

# Seconds that a query may take if there is a known value.
PATIENCE = 1.0

# Seconds after a failed query until the next one for a known value.
RETRY = 5.0


PENDING: Any = object()  # the value of an entry without a result


class Entry(Future[Any]):
    """A cached value, or one that is being read.

    Attributes
    ----------
    value : object
        The result, which `result` returns without a lock; PENDING before.
    read : float
        Monotonic time when the query started.
    refresh, expires : float
        Monotonic times when the value is read again, and when it expires.
    outdated : bool
        Whether the value may have changed, so that it is read again before it is used.
    stale : bool
        Whether it was served although it had expired or may have changed.
    previous : Entry | None
        The last known value, which is used during an outage.
    """

    def __init__(self, expiration: float) -> None:
        super().__init__()
        self.value = PENDING
        self.read = monotonic()
        self.refresh = self.read + REFRESH * expiration
        self.expires = self.read + expiration
        self.outdated = False
        self.stale = False
        self.previous: Entry | None = None
        self._thread = get_ident()
        self.set_running_or_notify_cancel()  # a waiter that is cancelled must not cancel it

    def set_result(self, result: Any) -> None:
        """Set the value, and wake up those who wait for it."""
        self.value = result
        super().set_result(result)

    def result(self, timeout: float | None = None) -> Any:
        """Return the value, or wait for it."""
        return super().result(timeout) if self.value is PENDING else self.value

    @property
    def is_own(self) -> bool:
        """Whether this thread is reading the value, so that it must not wait for it."""
        return self.value is PENDING and self._thread == get_ident() and not self.done()

    @property
    def patience(self) -> float | None:
        """Seconds that the query may take; None: no limit of its own."""
        return None if self.previous is None else PATIENCE

    def is_fresh(self, now: float) -> bool:
        """Return whether the value may be served without a query."""
        return not self.outdated and self.expires > now

    def outdate(self) -> None:
        """Mark the value, and the one that it replaces, as outdated."""
        self.outdated = True
        if self.previous is not None:
            self.previous.outdated = True


class Entries(OrderedDict[Key, Entry]):
    """Entries in order of their last use; those used least recently are evicted beyond a limit."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def add(self, key: Key, entry: Entry) -> None:
        """Add an entry, or replace one."""
        self[key] = entry
        self.move_to_end(key)
        if len(self) > self.limit:
            self.popitem(last=False)


class Tables(dict[tuple[str, bool, bool], Entries]):
    """The entries of each table, by `_group`.

    Parameters
    ----------
    limit : int
        Maximum number of documents per table.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __missing__(self, group: tuple[str, bool, bool]) -> Entries:
        _, listing, _ = group
        entries = self[group] = Entries(min(self._limit, 1) if listing else self._limit)
        return entries


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
    stale_if_error : float
        Seconds for which an expired value is served during an outage.

    Raises
    ------
    ValueError
        If the limit or the last one is negative, or the expiration is not positive.
    """

    def __init__(self, limit: int, expiration: float, stale_if_error: float = 0.0) -> None:
        if not is_integer(limit) or limit < 0:
            raise ValueError(f"cache_limit must be an int of 0 or more, not {limit!r:.60}")
        if not is_number(expiration) or not expiration > 0:
            raise ValueError(f"cache_expiration must be positive seconds, not {expiration!r:.60}")
        if not is_number(stale_if_error) or not stale_if_error >= 0:
            raise ValueError(
                f"stale_if_error must be 0 or more seconds, not {stale_if_error!r:.60}"
            )
        self._limit = limit
        self._expiration = expiration
        self._stale_if_error = stale_if_error
        self._retry = 0.0  # monotonic time until which known values are served without a query
        self.changes = 0  # counts invalidations
        self._tables = Tables(limit)
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
            entries = self._tables[_group(key)]
            found = entries.get(key)
            if found is not None:
                entries.move_to_end(key)
                if found.refresh > now and not found.outdated:
                    known = found.previous
                    return (known if known and known.is_fresh(now) else found), False
            known = self._known(found, now)
            if known is None or known is not found or self._retry <= now:
                entry = Entry(self._expiration)
                entry.previous = known
                entries.add(key, entry)
                return entry, True
        self._serve(key, known, now)
        return known, False

    @contextmanager
    def lead(self, key: Key, entry: Entry) -> Generator[None]:
        """Set the exception of an entry when the block, which sets its result, fails.

        During an outage, the result is the last known value instead.
        """
        try:
            yield
        except BaseException as error:
            known, entry.previous = entry.previous, None
            outage = is_outage(error)
            with self._lock:
                entries = self._tables[_group(key)]
                if entries.get(key) is not entry:
                    known = None  # evicted
                elif known is None:
                    del entries[key]
                else:
                    entries.add(key, known)
                if outage:
                    self._retry = monotonic() + RETRY
            if known is not None and outage:
                self._serve(key, known, monotonic(), str(error) or type(error).__name__)
                entry.stale = known.stale
                entry.set_result(known.result())
                return
            if not entry.done():
                entry.set_exception(error if isinstance(error, Exception) else LeaderInterrupted())
            raise
        else:
            entry.previous = None
            self._retry = 0.0

    def _known(self, found: Entry | None, now: float) -> Entry | None:
        """Return the last known value that may be served during an outage."""
        known = found if found is None or found.done() else found.previous
        return known if known and known.expires + self._stale_if_error > now else None

    def _serve(self, key: Key, known: Entry, now: float, reason: str = "") -> None:
        """Mark a value as stale if it is, and log that the first time."""
        if known.stale or known.is_fresh(now):
            return
        known.stale = True
        logger.warning(
            "serving %s as read %.0f s ago, because the server does not answer%s",
            key.table if key.subject is None else f"{key.table} {key.subject!r:.80}",
            now - known.read,
            f": {reason}" if reason else "",
        )

    def fill(self, values: Mapping[Key, Any], changes: int) -> None:
        """Add values, and let the tables grow so that they evict nothing.

        Parameters
        ----------
        values : Mapping[Key, Any]
            The values.
        changes : int
            `changes` before they were read: if it differs, they may be outdated.
        """
        if not self.enabled:
            return
        with self._lock:
            numbers = Counter(map(_group, values))
            for key, value in values.items():
                entries = self._tables[_group(key)]
                entries.limit = max(entries.limit, self._limit + numbers[_group(key)])
                entry = Entry(self._expiration)
                entry.outdated = changes != self.changes
                entry.set_result(value)
                entries.add(key, entry)

    def invalidate(self, changed: Collection[Key], *, failed: bool) -> None:
        """Evict the keys of a write; if it failed, mark them: it may have been committed."""
        if not changed:
            return
        if failed:
            self._outdate(changed)
        else:
            self.evict(*changed)

    def evict(self, *stale: Key) -> None:
        """Evict all variants of the given tables and subjects."""
        with self._lock:
            self.changes += 1
            for key in stale:
                for entries, cached in self._variants(key):
                    entries.pop(cached, None)

    def outdate(self, *changed: Key) -> None:
        """Mark all variants of the given keys as outdated, or all values if no key is given.

        The server has notified of a change, so it can be queried.
        """
        self._retry = 0.0
        self._outdate(changed)
        if not changed:
            with self._lock:
                self.changes += 1
                for entries in tuple(self._tables.values()):
                    for entry in tuple(entries.values()):
                        entry.outdate()

    def _outdate(self, changed: Iterable[Key]) -> None:
        with self._lock:
            self.changes += 1
            for key in changed:
                for entries, cached in self._variants(key):
                    entries[cached].outdate()

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


def _group(key: Key) -> tuple[str, bool, bool]:
    """Return what a key is counted with: its table, whether it is a listing, and pinned."""
    return key.table, key.subject is None, key.pinned


_caches = WeakSet[Cache]()


def _reset_after_fork() -> None:
    for cache in tuple(_caches):
        cache.reset_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_reset_after_fork)
