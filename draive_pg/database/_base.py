"""Shared code of the sync and async database: state, caching and retry rules, without I/O."""

from collections.abc import Callable, Sequence
from typing import Any, Self, TypedDict, Unpack

from draive_pg.database.cache import Cache
from draive_pg.database.deadline import Deadline
from draive_pg.database.driver import (
    SAVEPOINT,
    TRANSACTION,
    AsyncTimedConnection,
    Block,
    Exchange,
    TimedConnection,
    borrow,
    is_open,
)
from draive_pg.database.endpoint import Endpoint
from draive_pg.database.notifications import TriggerCheck
from draive_pg.database.observe import Observer
from draive_pg.database.prepared import preparing
from draive_pg.database.replica import Replica
from draive_pg.database.tables import Tables
from draive_pg.database.transactions import (
    Lock,
    State,
    Transaction,
    current_transaction,
    inherited_transaction,
    leave,
)
from draive_pg.errors import DraivePGError, OperationFailed
from draive_pg.lines.line import Line
from draive_pg.models.admin import OperationEvent
from draive_pg.operations.operation import Operation, Statement, qualified

# Seconds to roll back; without an answer, the connection is closed, which rolls back, too.
ROLLBACK_SECONDS = 5.0


class Options(TypedDict):
    """Options of a database.

    Attributes
    ----------
    schema : str | None
        The schema of the tables; None: the search path.
    line : Line | None
        The line of the conversations; None: detect it.
    max_size : int
        Maximum number of connections.
    live : bool
        Whether to listen for changes and evict stale cache entries.
    timeout : float | None
        Seconds that an operation may take, including the wait for a connection; None: no limit.
    on_operation : callable | None
        Called after each operation.
    prepare : bool | None
        Whether to prepare statements; None: only on the embedded server.
    replica : Endpoint | None
        The server for long reads; None: the same.
    """

    schema: str | None
    line: Line | None
    max_size: int
    live: bool
    timeout: float | None
    on_operation: Callable[[OperationEvent], object] | None
    prepare: bool | None
    replica: Endpoint | None


class BaseDatabase[C: TimedConnection | AsyncTimedConnection, L: Lock]:
    """Base of `Database` and `AsyncDatabase`."""

    def __init__(self, endpoint: Endpoint, cache: Cache, **options: Unpack[Options]) -> None:
        self.endpoint = endpoint
        self.schema = options["schema"]
        self._cache = cache
        self._max_size = options["max_size"]
        self._timeout = options["timeout"]
        self._live = options["live"]
        self._trigger_check = TriggerCheck(needed=self._live)
        self._observer = Observer(options["on_operation"])
        self.line = options["line"]
        self._preparing = preparing(endpoint, wanted=options["prepare"])
        self.tables = Tables(self.schema, self.line)
        self._replica: Replica | None = None
        self._replica_database: Self | None = None
        if (replica := options["replica"]) is not None:
            own = Options({**options, "live": False, "replica": None})
            self._replica = Replica(replica)
            self._replica_database = type(self)(replica, Cache(0, 1.0, 0.0), **own)

    def __repr__(self) -> str:
        return f"{self.endpoint!r}{'' if self.schema is None else f', schema={self.schema!r}'}"

    def _replica_of_reads(self) -> Replica | None:
        """Return the replica if long reads may go there: in a transaction they must not."""
        return None if self._in_transaction() else self._replica

    def _give_way(self, error: DraivePGError, *, started: bool = False) -> None:
        """Let the primary answer a read that failed on the replica, or raise the error again."""
        if started or self._replica is None or not self._replica.is_replaceable(error):
            raise error
        self._replica.give_way(error)

    def _known_tables(self) -> Tables:
        """Return what the current transaction, or any caller, knows of the tables."""
        transaction = inherited_transaction(self)
        return self.tables if transaction is None else transaction.tables

    def _in_transaction(self) -> bool:
        return current_transaction(self) is not None

    def _leave(self, transaction: Transaction[C, L]) -> None:
        """Leave a transaction that has ended, and invalidate the keys that it changed.

        What it knows of the tables is kept if it committed.

        Reads in a transaction are not cached, because they may see changes that are rolled back.
        """
        leave(self, transaction)
        outer, committed = transaction.outer, transaction.state is State.COMMITTED
        if committed:
            (outer or self).tables = transaction.tables
        if self._replica is not None:
            self._replica.note_write()
        if outer is not None:
            outer.stale |= transaction.stale
        else:
            self._cache.invalidate(transaction.stale, failed=not committed)

    def _invalidate(self, operation: Operation[Any], *, failed: bool) -> None:
        """Note an operation that may have written, and invalidate the keys that it changes."""
        if self._replica is not None and not operation.read_only:
            self._replica.note_write()
        if not operation.invalidates:
            return
        transaction = inherited_transaction(self)
        if transaction is not None and transaction.is_open:
            transaction.stale.update(operation.invalidates)
        else:
            self._cache.invalidate(operation.invalidates, failed=failed)

    def _transaction_connection(self, kind: type[C]) -> C:
        """Return a connection object for the session of the current transaction.

        It shares the lock of the transaction, so that no operation runs at the same time.

        Raises
        ------
        OperationFailed
            If there is none.
        """
        transaction = current_transaction(self)
        if transaction is None:
            raise OperationFailed(
                "connection: there is no transaction here; use it in a transaction() block"
            )
        connection = borrow(kind, transaction.connection)
        connection.call_timeout = self._timeout
        connection.lock = transaction.lock
        return connection

    def _deadline(self, patience: float | None = None) -> Deadline:
        """Return the deadline of an operation, at most ``patience`` seconds from now."""
        if patience is not None and (self._timeout is None or self._timeout > patience):
            return Deadline(patience)
        return Deadline(self._timeout)

    def _exchange(self, connection: C, statements: Sequence[Statement]) -> Exchange:
        """Return the exchange of an operation: one transaction, or a part of the current one."""
        queries = [(qualified(sql, self.schema), parameters) for sql, parameters in statements]
        block = None
        if not self._in_transaction():
            if connection.nested:
                block = SAVEPOINT
            elif len(queries) > 1:
                block = TRANSACTION
        prepared = connection.prepared if self._preparing.enabled else None
        return Exchange(connection, *queries, block=block, prepared=prepared)

    def _may_resend(self, error: OperationFailed, exchange: Exchange | None) -> bool:
        """Return whether to repeat an operation whose prepared statements the server lost."""
        resend = exchange is not None and self._preparing.may_resend(error, exchange.prepared)
        return resend and not self._in_transaction()


class BaseBlock[C: TimedConnection | AsyncTimedConnection, L: Lock]:
    """Base of the blocks that begin a transaction or a savepoint, and end it.

    Parameters
    ----------
    transaction : Transaction
        The transaction or the savepoint.
    timeout : float | None
        Seconds that its end may take.
    savepoint : Block
        The statements if its connection is in a transaction.

    Attributes
    ----------
    is_unended_savepoint : bool
        Whether it began a savepoint that may still be there.
    """

    __slots__ = ("_statements", "_timeout", "_transaction", "is_unended_savepoint")

    def __init__(
        self, transaction: Transaction[C, L], timeout: float | None, savepoint: Block = SAVEPOINT
    ) -> None:
        self._transaction = transaction
        self._timeout = timeout
        self._statements = savepoint if is_open(transaction.connection) else TRANSACTION
        self.is_unended_savepoint = False
