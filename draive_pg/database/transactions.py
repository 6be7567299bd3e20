"""Which transaction an operation is part of: the one that its thread or task has open.

A thread starts with none. A task starts with those of the task that made it, so ``gather`` in a
``transaction()`` block is part of it; once the block has ended, what it left running is not.
"""

import asyncio
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus

from draive_pg.errors import ConnectionFailed, OperationFailed
from draive_pg.operations.operation import Key

__all__ = (
    "TURN_SECONDS",
    "Transaction",
    "Turn",
    "busy",
    "check_kept",
    "joined",
    "joining",
    "leave_all",
    "release",
)

# How long one waits for another that uses the connection of the transaction they are both in.
TURN_SECONDS = 10.0

type Turn = threading.Lock | asyncio.Lock


@dataclass(slots=True)
class Transaction[C: Connection | AsyncConnection, L: Turn]:
    """An open transaction.

    Attributes
    ----------
    connection : Connection | AsyncConnection
        What its operations run on.
    turn : threading.Lock | asyncio.Lock
        Held by the one of them that uses the connection.
    stale : set of Key
        What they changed, to be evicted from the cache at the end.
    streams : list
        What reads on its connection bit by bit, to be closed at the end.
    ended : bool
        Whether the block was left.
    """

    connection: C
    turn: L
    stale: set[Key] = field(default_factory=set[Key])
    streams: list[Any] = field(default_factory=list[Any])
    ended: bool = False


type Open = Mapping[object, Transaction[Any, Any]]

_open: ContextVar[Open] = ContextVar("draive_pg_transactions", default=MappingProxyType({}))


def joined(database: object) -> Transaction[Any, Any] | None:
    """Return the transaction of a database that what runs here is part of."""
    transaction = _open.get().get(database)
    return None if transaction is None or transaction.ended else transaction


@contextmanager
def joining(database: object, transaction: Transaction[Any, Any]) -> Generator[None]:
    """Make what runs in the block part of a transaction."""
    token = _open.set({**_open.get(), database: transaction})
    try:
        yield
    finally:
        transaction.ended = True
        with suppress(ValueError):  # a generator may be finished by another task
            _open.reset(token)


def leave_all() -> None:
    """Be part of no transaction."""
    _open.set(MappingProxyType({}))


def check_kept(connection: Connection | AsyncConnection) -> None:
    """Raise where nothing would be kept without an error: PostgreSQL answers by a rollback."""
    if connection.closed:
        raise ConnectionFailed(
            "commit a transaction: the connection was lost in it, so nothing of it is kept; "
            "run the whole block again"
        )
    if connection.info.transaction_status == TransactionStatus.INERROR:
        raise OperationFailed(
            "transaction: an operation in it failed, so nothing of it is kept; let its error leave "
            "the block, or put what may fail into a transaction() of its own"
        )


def release(turn: threading.Lock | asyncio.Lock) -> None:
    if turn.locked():
        turn.release()


def busy() -> ConnectionFailed:
    return ConnectionFailed(
        f"transaction: its connection was in use by others for {TURN_SECONDS:.0f} s; end the "
        "nested transaction() that they wait in, or wait for them outside of it"
    )
