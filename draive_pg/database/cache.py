"""Values read before, for both colours and the adapters: least recently used, with an expiry.

An entry is a ``Future``. Whoever finds none leads: it puts one in, asks the database, and settles
it; all others wait for that answer, so any number of cold reads of one key make one query. Taking
an entry out while its leader still asks means that the answer is served to those who wait for it
and to nobody after.
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

__all__ = ("Cache", "LeaderGone")


type Shelf = TTLCache[Key, Future[Any]]


class LeaderGone(Exception):
    """The caller that asked for all was interrupted; one of the others must ask."""


class Cache:
    """Cached values of one client or repository.

    Parameters
    ----------
    limit : int
        How many documents are kept of each table, beside its listing; 0 reads through.
    expiration : float
        Seconds for which a value is served before it is read again.

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
        self._shelves: dict[tuple[str, bool], Shelf] = {}
        self._lock = Lock()
        _caches.add(self)

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return self._limit > 0

    def join(self, key: Key) -> tuple[Future[Any], bool]:
        """Return the future of a key's value, and whether the caller must settle it by `lead`."""
        with self._lock:
            shelf = self._shelf(key)
            try:
                return shelf[key], False  # `get` would look twice
            except KeyError:
                entry = Future[Any]()
            entry.set_running_or_notify_cancel()  # so that one who stops waiting cancels nobody
            shelf[key] = entry
            return entry, True

    @contextmanager
    def lead(self, key: Key, entry: Future[Any]) -> Generator[None]:
        """Settle with an error those who wait when the block, which sets the result, fails."""
        try:
            yield
        except BaseException as error:
            with self._lock:
                shelf = self._shelf(key)
                if shelf.get(key) is entry:
                    del shelf[key]
            if not entry.done():
                entry.set_exception(error if isinstance(error, Exception) else LeaderGone())
            raise

    def evict(self, *stale: Key) -> None:
        """Drop all variants of the given tables and subjects."""
        with self._lock:
            for key in stale:
                if shelf := self._shelves.get((key.table, key.subject is None)):
                    for cached in [cached for cached in shelf if cached.subject == key.subject]:
                        del shelf[cached]

    def clear(self) -> None:
        """Drop all."""
        with self._lock:
            self._shelves.clear()

    def forget(self) -> None:
        """Start anew in a process that was forked, where nobody settles what is pending."""
        self._shelves.clear()
        self._lock = Lock()

    def _shelf(self, key: Key) -> Shelf:
        """Return where a table's documents are kept, or, apart from them, its listing."""
        listing = key.subject is None
        shelf = self._shelves.get((key.table, listing))
        if shelf is None:
            limit = min(self._limit, 1) if listing else self._limit
            shelf = TTLCache[Key, Future[Any]](limit, self._expiration)
            self._shelves[key.table, listing] = shelf
        return shelf


_caches = WeakSet[Cache]()


def _forget_parent() -> None:
    for cache in tuple(_caches):
        cache.forget()


os.register_at_fork(after_in_child=_forget_parent)


def _is_number(value: object, kind: type | UnionType) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
