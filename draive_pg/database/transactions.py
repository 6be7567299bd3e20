"""The current transaction of a thread or task, and its state.

A transaction belongs to one thread: a function in ``asyncio.to_thread`` is not part of it, although
it runs in a copy of the context. A new task inherits the transactions of the task that created it,
so ``gather`` in a ``transaction()`` block is part of the transaction.

An operation or a nested block holds the lock of its transaction while it uses the connection. A
block ends only with its own lock, or else discards the connection, so that what still uses it
cannot reach a later transaction.
"""

import asyncio
import os
import threading
import weakref
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from psycopg.pq import TransactionStatus

from draive_pg.database.driver import AsyncTimedConnection, TimedConnection
from draive_pg.database.tables import Tables
from draive_pg.errors import ConnectionFailed, OperationFailed, TimedOut
from draive_pg.operations.operation import Key

# Seconds to wait while another operation uses the connection of a shared transaction.
LOCK_SECONDS = 10.0

type Lock = threading.Lock | asyncio.Lock


class State(Enum):
    """The state of a transaction; its end is unknown if the answer to COMMIT was lost."""

    OPEN = "open"
    COMMITTED = "committed"
    FAILED = "rolled back, or its end is unknown"


def _task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop
        return None


@dataclass(slots=True)
class Transaction[C: TimedConnection | AsyncTimedConnection, L: Lock]:
    """A transaction or, within another one, a savepoint.

    Attributes
    ----------
    connection : TimedConnection | AsyncTimedConnection
        The connection of its operations.
    lock : threading.Lock | asyncio.Lock
        Held by the operation or nested block that uses the connection.
    outer : Transaction | None
        The transaction of the block around its own.
    tables : Tables
        What is known of the tables in it.
    stale : set of Key
        Cache keys that its operations changed, evicted at its end.
    streams : list
        Weak references to generators that read from its connection, closed at its end.
    state : State
        Whether and how it ended.
    ending : bool
        Whether its block holds the lock, to end it.
    thread : int
        The thread that began it.
    task : weak reference | None
        The task that began it.
    """

    connection: C
    lock: L
    outer: "Transaction[C, L] | None"
    tables: Tables
    stale: set[Key] = field(default_factory=set[Key])
    streams: list[Any] = field(default_factory=list[Any])
    state: State = State.OPEN
    ending: bool = False
    thread: int = field(default_factory=threading.get_ident)
    task: weakref.ref[asyncio.Task[Any]] | None = field(init=False)

    def __post_init__(self) -> None:
        task = _task()
        self.task = None if task is None else weakref.ref(task)

    @property
    def is_open(self) -> bool:
        """Whether neither its block nor one around it has ended."""
        return self.state is State.OPEN and (self.outer is None or self.outer.is_open)

    @property
    def was_left(self) -> bool:
        """Whether the current thread or task began it and has ended its block."""
        if self.state is not State.FAILED:
            return self.state is State.COMMITTED
        return _task() is (None if self.task is None else self.task())

    def release(self) -> None:
        """Let the operations that wait for the lock see that it has ended."""
        if self.ending:
            self.lock.release()

    def check_open(self) -> None:
        """Raise if its block, or one around it, has ended."""
        if self.state is State.FAILED:
            raise OperationFailed(
                "the transaction() block that this task was started in has failed, so nothing of "
                "the task is kept; await the task in the block, or start it outside of it or with "
                "context=contextvars.Context()"
            )
        if not self.is_open:
            raise OperationFailed(
                "the block around a nested transaction() has ended, so nothing of the nested one "
                "is kept; end nested blocks, and await their tasks, in the outer block"
            )

    def check_committable(self) -> None:
        """Raise if it cannot be committed."""
        self.check_open()
        if self.connection.pid != os.getpid():
            raise OperationFailed(
                "commit a transaction: this process was forked in its block, and only the process "
                "that began it can commit"
            )
        if self.connection.closed:
            raise ConnectionFailed(
                "commit a transaction: the connection was lost, so nothing was committed; "
                "run the whole block again"
            )
        status = self.connection.info.transaction_status
        if status == TransactionStatus.IDLE:
            raise OperationFailed(
                "transaction: it was ended in the block, by commit() or rollback() of its "
                "connection or by a statement; let the block end it"
            )
        if status == TransactionStatus.INERROR:
            raise OperationFailed(
                "transaction: an operation failed, so nothing was committed; do not catch its "
                "error in the block, or run that operation in a nested transaction()"
            )


type OpenTransactions = Mapping[object, Transaction[Any, Any]]

_open: ContextVar[OpenTransactions] = ContextVar(
    "draive_pg_transactions", default=MappingProxyType({})
)


def inherited_transaction(database: object) -> Transaction[Any, Any] | None:
    """Return the transaction that the current thread or task is in, which may have failed.

    After a commit, a task that outlives the block is in the next outer one, or in none.
    """
    transaction = _open.get().get(database)
    while transaction is not None and transaction.was_left:
        transaction = transaction.outer
    if transaction is None or transaction.thread != threading.get_ident():
        return None
    return transaction


def current_transaction(database: object) -> Transaction[Any, Any] | None:
    """Return the transaction of a database that the current thread or task is in.

    Raises
    ------
    OperationFailed
        If it has failed: the operation would be applied without the rest of the block.
    """
    transaction = inherited_transaction(database)
    if transaction is not None:
        transaction.check_open()
    return transaction


def make_current(database: object, transaction: Transaction[Any, Any]) -> None:
    """Make a transaction the current one of a database."""
    _open.set({**_open.get(), database: transaction})


def leave(database: object, transaction: Transaction[Any, Any]) -> None:
    """Make the outer transaction the current one again, or none.

    Unless a generator still holds a nested block: its calls must not be applied on their own.
    """
    current = dict(_open.get())
    if current.get(database) is transaction:
        del current[database]
        if transaction.outer is not None:
            current[database] = transaction.outer
        _open.set(current)


def clear_current() -> None:
    """Leave all transactions, after a fork."""
    _open.set(MappingProxyType({}))


def lock_timed_out(seconds: float) -> TimedOut:
    """Return the error for a wait of some seconds."""
    return TimedOut(
        f"transaction: its connection was in use by another operation for {seconds:.3g} s; "
        "do not wait in a nested transaction() for operations outside of it"
    )


def still_in_use() -> OperationFailed:
    """Return the error for a block whose connection is still used when it ends."""
    return OperationFailed(
        "transaction: an operation or a nested transaction() still used its connection at the end "
        "of the block, so nothing was committed; end nested blocks, and await their tasks, in it"
    )
