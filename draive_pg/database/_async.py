"""`AsyncDatabase`: the asynchronous version of `_sync`; keep both in step."""

import asyncio
import weakref
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import aclosing, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from inspect import isawaitable
from time import perf_counter
from typing import Any, Unpack, cast

from psycopg import Error, Rollback

from draive_pg.database._base import ROLLBACK_SECONDS, BaseBlock, BaseDatabase, Options
from draive_pg.database.cache import PENDING, Cache, LeaderInterrupted, leader_timed_out
from draive_pg.database.deadline import Deadline
from draive_pg.database.driver import (
    COPY_SAVEPOINT,
    TRANSACTION,
    AsyncTimedConnection,
    Exchange,
    copy_text,
    deliver_later,
    discard,
    is_open,
    leave_to_parent,
    receive_rows,
    wait_until_done,
)
from draive_pg.database.endpoint import Endpoint, conninfo_async
from draive_pg.database.errors import QUERY, map_errors, short_tracebacks
from draive_pg.database.external_pool import AsyncExternalPool, ExternalEndpoint
from draive_pg.database.notifications import (
    Filter,
    TriggerCheck,
    outdate,
    own_schemas,
    start_listening,
    stop_listening,
    triggers_installed,
)
from draive_pg.database.observe import Observation, Observer
from draive_pg.database.pool import AsyncPool
from draive_pg.database.prepared import Preparing
from draive_pg.database.retry import may_retry
from draive_pg.database.tables import Tables
from draive_pg.database.transactions import (
    LOCK_SECONDS,
    State,
    Transaction,
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
    OnReplica,
    Operation,
    Preload,
    Request,
    Row,
    Statement,
    Workflow,
)
from draive_pg.operations.sql import READ_ONLY, Column, Sql

type Stream = weakref.ref[AsyncGenerator[Any]]


class AsyncRunner(ABC):
    """Runs requests asynchronously; a subclass executes the statements."""

    schema: str | None
    _cache: Cache
    _observer: Observer
    _trigger_check: TriggerCheck
    _timeout: float | None = None

    async def run[T](self, request: Request[T]) -> T:
        """Return the result of a request."""
        match request:
            case Cached():
                return await self._run_cached(request)
            case Operation():
                return await self._run_operation(request)
            case Workflow():
                return await self._run_workflow(request)
            case ByLine():
                return await self._run_workflow(self._known_tables().by_line(request))
            case Preload():
                changes = self._cache.changes
                values = await self._execute(request.operation)
                if not self._in_transaction():
                    self._cache.fill(values, changes)
                return cast("T", len(values))
            case Call() if request.records_commit and self._in_transaction():
                return cast("T", None)
            case Call():
                result = await _in_thread(request.function)
                return cast("T", await result) if isawaitable(result) else result
            case _:
                return await self._run_other(request)

    async def _run_operation[T](self, operation: Operation[T]) -> T:
        return await self._execute(operation)

    async def _run_other[T](self, request: Request[T]) -> T:
        """Return the result of a request that only some databases can run."""
        raise TypeError(f"not a request: {request!r:.80}")

    async def _run_cached[T](self, request: Cached[T]) -> T:
        result = request.to_result(await self._cached_value(request))
        if result is None and request.otherwise is not None:
            return await self.run(request.otherwise())
        return result

    async def _cached_value(self, request: Cached[Any]) -> Any:
        key = request.key
        if key is None or not self._cache.enabled or self._in_transaction():
            return await self._execute(request.operation())
        started = perf_counter()
        while True:
            entry, leads = self._cache.join(key)
            if leads:
                with self._cache.lead(key, entry):
                    await self._check_triggers()
                    entry.set_result(await self._execute(request.operation(), entry.patience))
            try:
                value = entry.value
                if value is PENDING:
                    value = await _result(entry, self._timeout)
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

    async def _run_workflow[T](self, workflow: Workflow[T]) -> T:
        request, steps = workflow.first, workflow.steps
        try:
            while request is not None:
                result = await self.run(request)
                try:
                    request = steps.send(result)
                except StopIteration as end:
                    return end.value
        finally:
            steps.close()
        return workflow.result

    async def _check_triggers(self) -> None:
        if self._trigger_check.needed:
            installed = await self._execute(triggers_installed(self.schema))
            self._trigger_check.report(installed=installed)

    async def _resolve(
        self, statements: Sequence[Statement], fallback: Fallback | None
    ) -> Sequence[Statement]:
        return await self._run_workflow(self._known_tables().resolve(statements, fallback))

    @abstractmethod
    def _known_tables(self) -> Tables:
        """Return what is known of the tables."""

    @abstractmethod
    async def _execute(self, operation: Operation[Any], patience: float | None = None) -> Any:
        """Return the decoded value of an operation, from the server."""

    @abstractmethod
    def _in_transaction(self) -> bool:
        """Return whether a read may see uncommitted changes, so that it must not be cached."""


class AsyncDatabase(BaseDatabase[AsyncTimedConnection, asyncio.Lock], AsyncRunner):
    """Async version of `Database`: any number of tasks may share one.

    Connections belong to the event loop that opened them; used from another, it opens new ones.
    """

    is_async = True

    def __init__(self, endpoint: Endpoint, cache: Cache, **options: Unpack[Options]) -> None:
        super().__init__(endpoint, cache, **options)
        self._pools: dict[asyncio.AbstractEventLoop, LoopPool] = {}

    async def _run_operation[T](self, operation: Operation[T]) -> T:
        if operation.long:
            return await self._run_long(partial(AsyncDatabase._execute, operation=operation))
        return await self._execute(operation)

    async def _run_workflow[T](self, workflow: Workflow[T]) -> T:
        if workflow.transaction:
            async with self.transaction():
                return await super()._run_workflow(workflow)
        return await super()._run_workflow(workflow)

    async def _run_other[T](self, request: Request[T]) -> T:
        match request:
            case Copy():
                async with aclosing(self.stream(request)) as results:
                    return await anext(results)
            case Sql():
                return await self._run_long(partial(AsyncDatabase._run_sql, request=request))
            case OnReplica():
                return cast("T", await self._run_on_replica(request))
            case _:
                return await super()._run_other(request)

    async def _reader(self) -> "AsyncDatabase":
        replica, database = self._replica_of_reads(), self._replica_database
        if replica is None or database is None:
            return self
        return database if await self._run_workflow(replica.is_usable(database.is_busy)) else self

    async def _run_long[T](self, run: Callable[["AsyncDatabase"], Coroutine[Any, Any, T]]) -> T:
        reader = await self._reader()
        if reader is not self:
            try:
                return await run(reader)
            except DraivePGError as error:
                self._give_way(error)
        return await run(self)

    async def _run_on_replica(self, request: OnReplica) -> Any:
        if self._replica_database is None:
            return None
        try:
            return await AsyncDatabase._execute(
                self._replica_database, request.operation, request.patience
            )
        except DraivePGError as error:
            return error

    async def _run_sql[T](self, request: Sql[T]) -> T:
        """Return the result of a query of the caller, and roll back its transaction."""
        columns: Sequence[Column] = ()
        rows: Sequence[Row] = ()
        with suppress(Rollback), map_errors(QUERY):
            async with self.transaction():
                connection = self.connection()
                with self._observer.operation(QUERY) as observed:
                    observed.use(connection, round_trips=2)
                    await connection.execute(READ_ONLY)
                    cursor = await connection.execute(request.text.encode(), request.parameters)
                    rows = await cursor.fetchall()
                    observed.rows = len(rows)
                columns = [Column(each.name, each.type_code) for each in cursor.description or ()]
                raise Rollback
        return await _in_thread(partial(request.collect, columns, rows))

    async def _execute(self, operation: Operation[Any], patience: float | None = None) -> Any:
        deadline = self._deadline(patience)
        statements = await self._resolve(operation.statements, operation.fallback)
        if not statements:
            return operation.decode(())
        with self._observer.operation(operation.name) as observed:
            failed = True
            try:
                rows = await self._attempt(operation, statements, observed, deadline)
                failed = False
            finally:
                self._invalidate(operation, failed=failed)
            observed.rows = len(rows)
            return operation.decode(rows)

    async def _attempt(
        self,
        operation: Operation[Any],
        statements: Sequence[Statement],
        observed: Observation,
        deadline: Deadline,
    ) -> Sequence[Row]:
        while True:
            exchange: Exchange | None = None
            try:
                async with _AsyncConnection(self, deadline) as connection:
                    with map_errors(operation.name):
                        exchange = self._exchange(connection, statements)
                        observed.use(connection, round_trips=exchange.round_trips)
                        try:
                            await connection.run(exchange)
                        except BaseException:
                            if exchange.block is not None and is_open(connection):
                                observed.round_trips += 1
                                rollback = Exchange(connection, (exchange.block.rollback, None))
                                with suppress(Error):
                                    await connection.run(rollback)
                            raise
                        return exchange.rows()
            except OperationFailed as error:
                if not self._may_resend(error, exchange):
                    raise
            except ConnectionFailed as error:
                written = None if operation.read_only else exchange
                if not may_retry(error, observed, written, self._in_transaction):
                    raise

    def stream[T](self, copy: Copy[T]) -> AsyncGenerator[T]:
        """Async version of `Database.stream`; the collector runs in other threads."""
        itself: list[Stream] = []
        stream = self._stream(copy, itself)
        itself.append(weakref.ref(stream))
        return stream

    async def _stream[T](self, copy: Copy[T], itself: Sequence[Stream]) -> AsyncGenerator[T]:
        started = False
        if (reader := await self._reader()) is not self:
            try:
                async with aclosing(reader.stream(copy)) as results:
                    async for item in results:
                        started = True
                        yield item
                return
            except DraivePGError as error:
                self._give_way(error, started=started)
        deadline = self._deadline()
        with short_tracebacks, self._observer.operation(copy.name) as observed:
            while True:
                try:
                    async with aclosing(self._copy(copy, itself, observed, deadline)) as results:
                        async for item in results:
                            started = True
                            yield item
                    return
                except ConnectionFailed as error:
                    if started or not may_retry(error, observed, None, self._in_transaction):
                        raise

    async def _copy[T](
        self,
        copy: Copy[T],
        itself: Sequence[Stream],
        observed: Observation,
        deadline: Deadline,
    ) -> AsyncGenerator[T]:
        (statement,) = await self._resolve((copy.statement,), copy.fallback)
        with copy.collect() as collector:
            async with _AsyncConnection(self, deadline) as connection:
                with map_errors(copy.name):
                    observed.use(connection, round_trips=1)
                    transaction = current_transaction(self)
                    if transaction is None and connection.nested:
                        transaction = Transaction(
                            connection, asyncio.Lock(), None, self._known_tables()
                        )
                    block = nullcontext()
                    if transaction is not None:
                        transaction.streams.extend(itself)
                        block = _AsyncBlock(transaction, self._timeout, COPY_SAVEPOINT)
                    text = copy_text(statement, self.schema, connection)
                    async with block, connection.cursor().copy(text) as rows:
                        while batch := await connection.wait(receive_rows(rows)):
                            observed.rows += len(batch)
                            try:
                                for item in await _in_thread(collector.take, batch):
                                    yield item
                            finally:
                                connection.deadline = self._deadline()
                                leave_to_parent(rows)
            for item in await _in_thread(collector.finish):
                yield item

    async def changes(self) -> AsyncGenerator[Change]:
        """Async version of `Database.changes`."""
        with short_tracebacks:
            if isinstance(self.endpoint, ExternalEndpoint):
                self.endpoint.conninfo()
            self._trigger_check.needed = True
            await self._check_triggers()
            wanted = Filter(await self.run(own_schemas(self.schema)))
            queue = asyncio.Queue[Change | None]()
            listener = start_listening(
                self.endpoint, queue.put_nowait, partial(queue.put_nowait, None)
            )
            own = self._pools.setdefault(asyncio.get_running_loop(), LoopPool())
            own.subscribers.add(listener)
            try:
                while (change := await queue.get()) is not None:
                    if wanted.accepts(change):
                        yield change
            finally:
                own.subscribers.discard(listener)
                await stop_listening(listener)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """Async version of `Database.transaction`, for this task and those that it starts."""
        async with _AsyncConnection(self, self._deadline()) as connection:
            outer = current_transaction(self)
            transaction = Transaction(
                connection, asyncio.Lock(), outer, self._known_tables().copy()
            )
            block = _AsyncBlock(transaction, self._timeout)
            try:
                make_current(self, transaction)
                async with block:
                    try:
                        yield
                    except BaseException:
                        await self._take_lock(transaction)
                        raise
                    if not await self._take_lock(transaction):
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

    async def _take_lock(
        self, transaction: Transaction[AsyncTimedConnection, asyncio.Lock]
    ) -> bool:
        """Take the lock to end a transaction, or discard its connection if it stays in use."""
        try:
            await _close_all(transaction.streams)
        finally:
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._timeout):
                        transaction.ending = await transaction.lock.acquire()
            finally:
                if not transaction.ending:
                    discard(transaction.connection)
        return transaction.ending

    async def pool(self) -> AsyncPool | AsyncExternalPool:
        """Return the pool of this event loop, created when it is first used."""
        own = self._pools.setdefault(asyncio.get_running_loop(), LoopPool())
        async with own.opening:
            if own.pool is None:
                self._abandon_ended()
                pool = self._new_pool()
                if self._live:
                    pool.release(await pool.acquire(self._deadline()))
                    take = partial(outdate, self._cache)
                    own.listener = start_listening(self.endpoint, take, self._cache.outdate)
                own.pool = pool
            return own.pool

    def is_busy(self) -> bool:
        """Async version of `Database.is_busy`, for the connections of this event loop."""
        own = self._pools.get(asyncio.get_running_loop())
        return own is not None and isinstance(own.pool, AsyncPool) and own.pool.is_exhausted

    def _new_pool(self) -> AsyncPool | AsyncExternalPool:
        if isinstance(self.endpoint, ExternalEndpoint):
            return AsyncExternalPool(self.endpoint.async_source())
        return AsyncPool(partial(open_connection, self.endpoint, self._preparing), self._max_size)

    def connection(self) -> AsyncTimedConnection:
        """Async version of `Database.connection`."""
        return self._transaction_connection(AsyncTimedConnection)

    def _abandon_ended(self) -> None:
        """Close the connections of event loops that have ended without `close`."""
        for loop in [loop for loop in tuple(self._pools) if loop.is_closed()]:
            ended = self._pools.pop(loop, None)
            if ended is not None and ended.pool is not None:
                ended.pool.abandon()

    async def close(self) -> None:
        """Async version of `Database.close`, for the connections of this event loop."""
        self._abandon_ended()
        own = self._pools.get(asyncio.get_running_loop())
        if own is not None:
            for subscriber in tuple(own.subscribers):
                await stop_listening(subscriber)
            async with own.opening:  # after a task that opens it
                pool, own.pool = own.pool, None
            if pool is not None:
                await stop_listening(own.listener)
                pool.close()
        await asyncio.to_thread(self.endpoint.close)
        if self._replica_database is not None:
            await self._replica_database.close()


class _AsyncBlock(BaseBlock[AsyncTimedConnection, asyncio.Lock]):
    """Async version of `_Block`."""

    async def __aenter__(self) -> None:
        with map_errors("begin a transaction"):
            self.is_unended_savepoint = self._statements is not TRANSACTION
            try:
                await self._run(self._statements.begin)
            except Error:
                self.is_unended_savepoint = False
                raise

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        connection, committable = self._transaction.connection, False
        try:
            if error is None:
                self._transaction.check_committable()
                committable = True
        finally:
            if not committable and is_open(connection):
                connection.deadline = Deadline(ROLLBACK_SECONDS)
                with suppress(Error):  # keep the original error
                    await self._run(self._statements.rollback)
                    self.is_unended_savepoint = False
        if committable:
            connection.deadline = Deadline(self._timeout)
            with map_errors("commit a transaction"):
                await self._run(self._statements.end)
                self.is_unended_savepoint = False

    async def _run(self, statement: bytes) -> None:
        connection = self._transaction.connection
        await connection.run(Exchange(connection, (statement, None)))


class _AsyncConnection:
    """Async version of `_Connection`."""

    __slots__ = ("_connection", "_database", "_deadline", "_pool", "_transaction")

    def __init__(self, database: AsyncDatabase, deadline: Deadline) -> None:
        self._database = database
        self._deadline = deadline

    async def __aenter__(self) -> AsyncTimedConnection:
        while (transaction := current_transaction(self._database)) is not None:
            self._transaction = transaction
            seconds = self._deadline.within(LOCK_SECONDS)
            try:
                async with asyncio.timeout(seconds):
                    await transaction.lock.acquire()
            except TimeoutError:
                raise lock_timed_out(seconds) from None
            if transaction.is_open:
                transaction.connection.deadline = self._deadline
                return transaction.connection
            transaction.lock.release()
        self._transaction = None
        self._pool = await self._database.pool()
        self._connection = await self._pool.acquire(self._deadline)
        self._connection.deadline = self._deadline
        return self._connection

    async def __aexit__(self, *error: object) -> None:
        if self._transaction is not None:
            self._transaction.lock.release()
            return
        returning = self._pool.release(self._connection)
        if returning is not None and await wait_until_done(returning):
            deliver_later()


@dataclass(slots=True)
class LoopPool:
    """The pool of one event loop, a lock for opening it, its listener, and those of `changes`."""

    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    pool: AsyncPool | AsyncExternalPool | None = None
    listener: asyncio.Task[None] | None = None
    subscribers: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])


async def open_connection(
    endpoint: Endpoint, preparing: Preparing, deadline: Deadline
) -> AsyncTimedConnection:
    """Connect to an endpoint, whose server is started if it is embedded."""
    return await AsyncTimedConnection.open(await conninfo_async(endpoint), deadline, preparing)


async def _result(entry: Future[Any], seconds: float | None) -> Any:
    if entry.done():
        return entry.result()
    return await asyncio.wait_for(asyncio.wrap_future(entry), seconds)


async def _close_all(streams: Sequence[Stream]) -> None:
    for stream in filter(None, [reference() for reference in streams]):
        with suppress(RuntimeError):  # another task is running it, and will be waited for
            await stream.aclose()


async def _in_thread[T](function: Callable[..., T], *arguments: object) -> T:
    """Return the result of a function, run in a thread; wait for its end even if cancelled."""
    ending = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(ending)
    finally:
        await wait_until_done(ending)
