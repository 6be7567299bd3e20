"""The current transaction of a thread or task.

A transaction belongs to one thread: a function in ``asyncio.to_thread`` is not part of it, although
it runs in a copy of the context. A new task inherits the transactions of the task that created it,
so ``gather`` in a ``transaction()`` block is part of the transaction, until the block ends.
"""

import asyncio
import threading
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus

from draive_pg.errors import ConnectionFailed, OperationFailed, TimedOut
from draive_pg.operations.operation import Key

# Seconds to wait while another operation uses the connection of a shared transaction.
LOCK_SECONDS = 10.0

type Lock = threading.Lock | asyncio.Lock


@dataclass(slots=True)
class Transaction[C: Connection | AsyncConnection, L: Lock]:
    """An open transaction.

    Attributes
    ----------
    connection : Connection | AsyncConnection
        The connection of its operations.
    lock : threading.Lock | asyncio.Lock
        Held by the operation that uses the connection.
    stale : set of Key
        Cache keys that its operations changed, evicted at its end.
    streams : list
        Weak references to generators that read from its connection, closed at its end.
    ended : bool
        Whether the block was left.
    thread : int
        The thread that began it.
    """

    connection: C
    lock: L
    stale: set[Key] = field(default_factory=set[Key])
    streams: list[Any] = field(default_factory=list[Any])
    ended: bool = False
    thread: int = field(default_factory=threading.get_ident)


type OpenTransactions = Mapping[object, Transaction[Any, Any]]

_open: ContextVar[OpenTransactions] = ContextVar(
    "draive_pg_transactions", default=MappingProxyType({})
)


def current_transaction(database: object) -> Transaction[Any, Any] | None:
    """Return the transaction of a database that the current thread or task is in."""
    transaction = _open.get().get(database)
    if transaction is None or transaction.ended or transaction.thread != threading.get_ident():
        return None
    return transaction


@contextmanager
def as_current(database: object, transaction: Transaction[Any, Any]) -> Generator[None]:
    """Make a transaction the current one of a database for a block."""
    token = None
    try:
        token = _open.set({**_open.get(), database: transaction})
        yield
    finally:
        transaction.ended = True
        if token is not None:
            with suppress(ValueError):  # another task may finish the generator
                _open.reset(token)


def enter(stack: ExitStack, block: AbstractContextManager[None]) -> None:
    """Enter a context manager made by ``contextmanager``; an interrupt cannot leave it open.

    It is registered first: an interrupt may come when it has been entered, but before
    ``enter_context`` has registered it.
    """
    stack.push(block)
    block.__enter__()


def clear_current() -> None:
    """Leave all transactions, after a fork."""
    _open.set(MappingProxyType({}))


def check_committable(connection: Connection | AsyncConnection) -> None:
    """Raise if COMMIT would roll back; PostgreSQL reports no error for that."""
    if connection.closed:
        raise ConnectionFailed(
            "commit a transaction: the connection was lost, so nothing was committed; "
            "run the whole block again"
        )
    if connection.info.transaction_status == TransactionStatus.INERROR:
        raise OperationFailed(
            "transaction: an operation failed, so nothing was committed; do not catch its error in "
            "the block, or run that operation in a nested transaction()"
        )


def release_lock(lock: Lock) -> None:
    """Release a lock that may be released already."""
    if lock.locked():
        lock.release()


def lock_timed_out(seconds: float) -> TimedOut:
    """Return the error for a wait of some seconds."""
    return TimedOut(
        f"transaction: its connection was in use by another operation for {seconds:.3g} s; "
        "do not wait in a nested transaction() for operations outside of it"
    )
