"""`Database`: runs requests on psycopg's `Connection`. Keep `_async` in step with it."""

import os
import threading
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import partial
from time import perf_counter
from typing import Any, Unpack, cast

from psycopg import Error, Rollback

from draive_pg.database._base import ROLLBACK_SECONDS, BaseBlock, BaseDatabase, Options
from draive_pg.database.cache import Cache, LeaderInterrupted, leader_timed_out
from draive_pg.database.deadline import Deadline
from draive_pg.database.driver import (
    COPY_SAVEPOINT,
    TRANSACTION,
    Exchange,
    TimedConnection,
    copy_text,
    discard,
    is_open,
    leave_to_parent,
    receive_rows,
)
from draive_pg.database.endpoint import Endpoint
from draive_pg.database.errors import QUERY, map_errors, short_tracebacks
from draive_pg.database.external_pool import ExternalEndpoint, ExternalPool
from draive_pg.database.notifications import (
    Filter,
    Listener,
    ListenerThread,
    own_schemas,
    triggers_installed,
)
from draive_pg.database.observe import Observation
from draive_pg.database.pool import Pool
from draive_pg.database.prepared import Preparing
from draive_pg.database.retry import may_retry
from draive_pg.database.transactions import (
    LOCK_SECONDS,
    State,
    Transaction,
    clear_current,
    current_transaction,
    lock_timed_out,
    make_current,
    still_in_use,
)
from draive_pg.errors import ConnectionFailed, DraivePGError, OperationFailed
from draive_pg.models.changes import Change
from draive_pg.operations.copy import Copy
from draive_pg.operations.operation import (
    ByLine,
    Cached,
    Call,
    Fallback,
    Key,
    OnReplica,
    Operation,
    Preload,
    Request,
    Row,
    Statement,
    Workflow,
)
from draive_pg.operations.sql import READ_ONLY, Column, Sql

type Stream = weakref.ref[Generator[Any]]


class Database(BaseDatabase[TimedConnection, threading.Lock]):
    """Runs requests on psycopg's `Connection`; any number of threads may share one."""

    is_async = False

    def __init__(self, endpoint: Endpoint, cache: Cache, **options: Unpack[Options]) -> None:
        super().__init__(endpoint, cache, **options)
        self._listeners = weakref.WeakSet[Listener]()
        self._reset()
        _databases.add(self)

    def _reset(self) -> None:
        self._pool: Pool | ExternalPool | None = None
        self._finalizer: weakref.finalize[..., Database] | None = None
        self._opening = threading.Lock()

    def reset_after_fork(self) -> None:
        """Drop the inherited pool; psycopg closes no sockets of a parent process."""
        if self._finalizer is not None:
            self._finalizer.detach()
        self._reset()

    def run[T](self, request: Request[T]) -> T:  # noqa: PLR0911 - one for each kind
        """Return the result of a request."""
        match request:
            case Cached():
                return self._run_cached(request)
            case Operation() if not request.long:
                return self._execute(request)
            case Workflow():
                return self._run_workflow(request)
            case Copy():
                with closing(self.stream(request)) as results:
                    return next(results)
            case ByLine():
                return self._run_workflow(self._known_tables().by_line(request))
            case Preload():
                return cast("T", self._preload(request.operation))
            case Call() if request.records_commit and self._in_transaction():
                return cast("T", None)
            case Call():
                return request.function()
            case Operation():
                return self._run_long(partial(Database._execute, operation=request))
            case Sql():
                return self._run_long(partial(Database._run_sql, request=request))
            case OnReplica():
                return cast("T", self._run_on_replica(request))
            case _:
                raise TypeError(f"not a request: {request!r:.80}")

    def _reader(self) -> "Database":
        """Return the database for a long read: that of the replica if it is usable."""
        replica, database = self._replica_of_reads(), self._replica_database
        if (
            replica is None
            or database is None
            or not self._run_workflow(replica.is_usable(database.is_busy))
        ):
            return self
        return database

    def _run_long[T](self, run: Callable[["Database"], T]) -> T:
        """Return the result of a read, from the replica or else the primary."""
        reader = self._reader()
        if reader is not self:
            try:
                return run(reader)
            except DraivePGError as error:
                self._give_way(error)
        return run(self)

    def _run_on_replica(self, request: OnReplica) -> Any:
        if self._replica_database is None:
            return None
        try:
            return Database._execute(self._replica_database, request.operation, request.patience)
        except DraivePGError as error:
            return error

    def _run_sql[T](self, request: Sql[T]) -> T:
        """Return the result of a query of the caller, and roll back its transaction."""
        columns: Sequence[Column] = ()
        rows: Sequence[Row] = ()
        with suppress(Rollback), map_errors(QUERY), self.transaction():
            connection = self.connection()
            with self._observer.operation(QUERY) as observed:
                observed.use(connection, round_trips=2)
                connection.execute(READ_ONLY)
                cursor = connection.execute(request.text.encode(), request.parameters)
                rows = cursor.fetchall()
                observed.rows = len(rows)
            columns = [Column(each.name, each.type_code) for each in cursor.description or ()]
            raise Rollback
        return request.collect(columns, rows)

    def _run_cached[T](self, request: Cached[T]) -> T:
        result = request.to_result(self._cached_value(request))
        if result is None and request.otherwise is not None:
            return self.run(request.otherwise())
        return result

    def _cached_value(self, request: Cached[Any]) -> Any:
        """Return a value from the cache, or else from the server."""
        key = request.key
        if key is None or not self._cache.enabled or self._in_transaction():
            return self._execute(request.operation())
        started = perf_counter()
        while True:
            entry, leads = self._cache.join(key)
            if leads:
                with self._cache.lead(key, entry):
                    self._check_triggers()
                    entry.set_result(self._execute(request.operation(), entry.patience))
            elif entry.is_own:  # called by `on_operation`
                return self._execute(request.operation())
            try:
                value = entry.result(self._timeout)
            except LeaderInterrupted:
                continue
            except TimeoutError:
                if entry.done():
                    raise
                raise leader_timed_out(request.operation().name, self._timeout) from None
            if self._observer.is_active and (not leads or entry.stale):
                name = request.operation().name
                self._observer.report(name, started, cached=True, stale=entry.stale)
            return value

    def _preload(self, operation: Operation[Mapping[Key, Any]]) -> int:
        changes = self._cache.changes
        values = self._execute(operation)
        if not self._in_transaction():
            self._cache.fill(values, changes)
        return len(values)

    def _run_workflow[T](self, workflow: Workflow[T]) -> T:
        if workflow.transaction:
            with self.transaction():
                return self._run_steps(workflow)
        return self._run_steps(workflow)

    def _run_steps[T](self, workflow: Workflow[T]) -> T:
        request, steps = workflow.first, workflow.steps
        try:
            while request is not None:
                result = self.run(request)
                try:
                    request = steps.send(result)
                except StopIteration as end:
                    return end.value
        finally:
            steps.close()
        return workflow.result

    def _execute(self, operation: Operation[Any], patience: float | None = None) -> Any:
        """Return the decoded value of an operation, from the server within ``patience`` seconds."""
        deadline = self._deadline(patience)
        statements = self._resolve(operation.statements, operation.fallback)
        if not statements:
            return operation.decode(())
        with self._observer.operation(operation.name) as observed:
            failed = True
            try:
                rows = self._attempt(operation, statements, observed, deadline)
                failed = False
            finally:
                self._invalidate(operation, failed=failed)
            observed.rows = len(rows)
            return operation.decode(rows)

    def _resolve(
        self, statements: Sequence[Statement], fallback: Fallback | None
    ) -> Sequence[Statement]:
        return self._run_workflow(self._known_tables().resolve(statements, fallback))

    def _attempt(
        self,
        operation: Operation[Any],
        statements: Sequence[Statement],
        observed: Observation,
        deadline: Deadline,
    ) -> Sequence[Row]:
        """Run statements in one transaction, and return the rows of the last one."""
        while True:
            exchange: Exchange | None = None
            try:
                with _Connection(self, deadline) as connection, map_errors(operation.name):
                    exchange = self._exchange(connection, statements)
                    observed.use(connection, round_trips=exchange.round_trips)
                    try:
                        connection.run(exchange)
                    except BaseException:
                        if exchange.block is not None and is_open(connection):
                            observed.round_trips += 1
                            rollback = Exchange(connection, (exchange.block.rollback, None))
                            with suppress(Error):  # keep the original error
                                connection.run(rollback)
                        raise
                    return exchange.rows()
            except OperationFailed as error:
                if not self._may_resend(error, exchange):
                    raise
            except ConnectionFailed as error:
                written = None if operation.read_only else exchange
                if not may_retry(error, observed, written, self._in_transaction):
                    raise

    def stream[T](self, copy: Copy[T]) -> Generator[T]:
        """Yield the results of a COPY as its rows arrive.

        The generator holds a connection until it is exhausted or closed. In a transaction it uses
        the connection of the transaction, and is closed at its end.
        """
        itself: list[Stream] = []
        stream = self._stream(copy, itself)
        itself.append(weakref.ref(stream))
        return stream

    def _stream[T](self, copy: Copy[T], itself: Sequence[Stream]) -> Generator[T]:
        started = False
        if (reader := self._reader()) is not self:
            try:
                with closing(reader.stream(copy)) as results:
                    for item in results:
                        started = True
                        yield item
                return
            except DraivePGError as error:
                self._give_way(error, started=started)
        deadline = self._deadline()
        with short_tracebacks, self._observer.operation(copy.name) as observed:
            while True:
                try:
                    with closing(self._copy(copy, itself, observed, deadline)) as results:
                        for item in results:
                            started = True
                            yield item
                    return
                except ConnectionFailed as error:
                    if started or not may_retry(error, observed, None, self._in_transaction):
                        raise

    def _copy[T](
        self,
        copy: Copy[T],
        itself: Sequence[Stream],
        observed: Observation,
        deadline: Deadline,
    ) -> Generator[T]:
        (statement,) = self._resolve((copy.statement,), copy.fallback)
        with copy.collect() as collector:
            with _Connection(self, deadline) as connection, map_errors(copy.name):
                observed.use(connection, round_trips=1)
                transaction = current_transaction(self)
                if transaction is None and connection.nested:
                    transaction = Transaction(
                        connection, threading.Lock(), None, self._known_tables()
                    )
                block = nullcontext()
                if transaction is not None:
                    transaction.streams.extend(itself)
                    # A savepoint: closing an unfinished COPY is an error in the transaction.
                    block = _Block(transaction, self._timeout, COPY_SAVEPOINT)
                text = copy_text(statement, self.schema, connection)
                with block, connection.cursor().copy(text) as rows:
                    while batch := connection.wait(receive_rows(rows)):
                        observed.rows += len(batch)
                        try:
                            yield from collector.take(batch)
                        finally:  # each batch, and closing the COPY, has a deadline of its own
                            connection.deadline = self._deadline()
                            leave_to_parent(rows)
            yield from collector.finish()

    def changes(self) -> Generator[Change]:
        """Yield the changes of documents as they are committed, until `close`."""
        with short_tracebacks:
            if isinstance(self.endpoint, ExternalEndpoint):
                self.endpoint.conninfo()
            self._trigger_check.needed = True
            self._check_triggers()
            wanted = Filter(self.run(own_schemas(self.schema)))
            listener = Listener(self.endpoint.conninfo)
            self._listeners.add(listener)
            with closing(listener.changes()) as received:
                yield from filter(wanted.accepts, received)

    def _check_triggers(self) -> None:
        """Check, the first time, that the triggers exist."""
        if self._trigger_check.needed:
            installed = self._execute(triggers_installed(self.schema))
            self._trigger_check.report(installed=installed)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Run the operations of this thread within the block in one transaction."""
        with _Connection(self, self._deadline()) as connection:
            outer = current_transaction(self)
            transaction = Transaction(
                connection, threading.Lock(), outer, self._known_tables().copy()
            )
            block = _Block(transaction, self._timeout)
            try:
                make_current(self, transaction)
                with block:
                    try:
                        yield
                    except BaseException:
                        self._take_lock(transaction)
                        raise
                    if not self._take_lock(transaction):
                        raise still_in_use()
                transaction.state = State.COMMITTED
            finally:
                if transaction.state is State.OPEN:  # before a call, in which an interrupt may come
                    transaction.state = State.FAILED
                if block.is_unended_savepoint:
                    discard(connection)  # otherwise the outer block could commit what is in it
                try:
                    self._leave(transaction)
                finally:
                    transaction.release()

    def _take_lock(self, transaction: Transaction[TimedConnection, threading.Lock]) -> bool:
        """Take the lock to end a transaction, or discard its connection if it is in use.

        Only a generator can use it, and cannot go on while this waits.
        """
        try:
            _close_all(transaction.streams)
        finally:
            transaction.ending = transaction.lock.acquire(blocking=False)
            if not transaction.ending:
                discard(transaction.connection)
        return transaction.ending

    def pool(self) -> Pool | ExternalPool:
        """Return the pool, created when it is first used."""
        with self._opening:
            if self._pool is None:
                pool = self._new_pool()
                listener = None
                if self._live:
                    # A wrong DSN must fail here, not in the listener.
                    pool.release(pool.acquire(self._deadline()))
                    listener = ListenerThread(self.endpoint.conninfo, self._cache)
                # Does not stop an embedded server: garbage collection must not wait for a lock.
                self._finalizer = weakref.finalize(self, _close, pool, listener)
                self._pool = pool
            return self._pool

    def is_busy(self) -> bool:
        """Return whether all connections are in use."""
        return isinstance(self._pool, Pool) and self._pool.is_exhausted

    def _new_pool(self) -> Pool | ExternalPool:
        if isinstance(self.endpoint, ExternalEndpoint):
            return ExternalPool(self.endpoint.source())
        return Pool(partial(_connect, self.endpoint, self._preparing), self._max_size)

    def connection(self) -> TimedConnection:
        """Return a connection object for statements of the caller in the current transaction."""
        return self._transaction_connection(TimedConnection)

    def close(self) -> None:
        """Close the connections; the next operation opens new ones."""
        for listener in tuple(self._listeners):
            listener.stop()
        with self._opening:
            finalizer = self._finalizer
            self._finalizer = self._pool = None  # first: an interrupt may stop `finalizer` half-way
            if finalizer is not None:
                finalizer()
            self.endpoint.close()
        if self._replica_database is not None:
            self._replica_database.close()


class _Block(BaseBlock[TimedConnection, threading.Lock]):
    """Begin a transaction, or a savepoint in a transaction, and end it.

    Not a generator: one that an interrupt leaves open would roll back when it is collected, when
    another transaction may use the connection.
    """

    def __enter__(self) -> None:
        with map_errors("begin a transaction"):
            self.is_unended_savepoint = self._statements is not TRANSACTION
            try:
                self._run(self._statements.begin)
            except Error:
                self.is_unended_savepoint = False
                raise

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        connection, committable = self._transaction.connection, False
        try:
            if error is None:
                self._transaction.check_committable()
                committable = True
        finally:
            if not committable and is_open(connection):
                connection.deadline = Deadline(ROLLBACK_SECONDS)
                with suppress(Error):  # keep the original error
                    self._run(self._statements.rollback)
                    self.is_unended_savepoint = False
        if committable:
            connection.deadline = Deadline(self._timeout)
            with map_errors("commit a transaction"):
                self._run(self._statements.end)
                self.is_unended_savepoint = False

    def _run(self, statement: bytes) -> None:
        connection = self._transaction.connection
        connection.run(Exchange(connection, (statement, None)))


class _Connection:
    """A connection for a block: of the current transaction if there is one, or from the pool.

    A class instead of a generator, because every call enters it, as with `map_errors`.
    """

    __slots__ = ("_connection", "_database", "_deadline", "_pool", "_transaction")

    def __init__(self, database: Database, deadline: Deadline) -> None:
        self._database = database
        self._deadline = deadline

    def __enter__(self) -> TimedConnection:
        while (transaction := current_transaction(self._database)) is not None:
            self._transaction = transaction
            seconds = self._deadline.within(LOCK_SECONDS)
            if not transaction.lock.acquire(timeout=seconds):
                raise lock_timed_out(seconds)
            if transaction.is_open:
                transaction.connection.deadline = self._deadline
                return transaction.connection
            transaction.lock.release()  # it has ended while this waited
        self._transaction = None
        self._pool = self._database.pool()
        self._connection = self._pool.acquire(self._deadline)
        self._connection.deadline = self._deadline
        return self._connection

    def __exit__(self, *error: object) -> None:
        if self._transaction is not None:
            self._transaction.lock.release()
        else:
            self._pool.release(self._connection)


_databases = weakref.WeakSet[Database]()


def _reset_after_fork() -> None:
    clear_current()
    for database in tuple(_databases):
        database.reset_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_reset_after_fork)


def _connect(endpoint: Endpoint, preparing: Preparing, deadline: Deadline) -> TimedConnection:
    return TimedConnection.open(endpoint.conninfo(), deadline, preparing)


def _close_all(streams: Sequence[Stream]) -> None:
    for stream in filter(None, [reference() for reference in streams]):
        with suppress(ValueError):  # running in another thread
            stream.close()


def _close(pool: Pool | ExternalPool, listener: ListenerThread | None) -> None:
    if listener is not None:
        listener.stop()
    pool.close()
