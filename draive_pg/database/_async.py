"""The asynchronous twin of `sync`, body for body."""

import asyncio
import weakref
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from contextlib import (
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    closing,
    suppress,
)
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from psycopg import AsyncConnection, AsyncCursor, Error

from draive_pg.database._sync import BEGIN, COMMIT, Base, left_open, repeatable, was_closed
from draive_pg.database.cache import Cache, LeaderGone
from draive_pg.database.copy import copied, received
from draive_pg.database.endpoint import Target, conninfo_async
from draive_pg.database.errors import translated
from draive_pg.database.live import installed, listen, stop_listening, warn_unless
from draive_pg.database.pipeline import pipeline_async
from draive_pg.database.pool import READ_COMMITTED, AsyncPool
from draive_pg.database.transactions import (
    TURN_SECONDS,
    Transaction,
    busy,
    check_kept,
    joined,
    release,
)
from draive_pg.errors import ConnectionFailed
from draive_pg.operations.admin.migrations import extended
from draive_pg.operations.copy import Copy
from draive_pg.operations.operation import Call, Operation, Request, Row, Statement, Steps, Workflow

__all__ = ("AsyncDatabase", "AsyncRunner")


type Stream = weakref.ref[AsyncGenerator[Any]]


class AsyncRunner(ABC):
    """Runs operations asynchronously, wherever a subclass executes them."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def run[T](self, request: Request[T]) -> T:
        """Return the result of a request."""
        match request:
            case Operation():
                return await self._run_operation(request)
            case Workflow():
                return await self._run_steps(request.steps)
            case Call():
                return await _in_thread(request.function)
            case _:
                raise TypeError(f"not a request: {request!r:.80}")

    async def _run_operation[T](self, operation: Operation[T]) -> T:
        key = operation.key
        if key is None or not self._cache.keeps or self._in_transaction():
            return operation.present(await self._execute(operation))
        while True:
            entry, leads = self._cache.join(key)
            if leads:
                with self._cache.lead(key, entry):
                    entry.set_result(await self._read(operation))
            try:
                return operation.present(await _settled(entry))
            except LeaderGone:
                continue

    async def _run_steps[T](self, steps: Steps[T]) -> T:
        result = None
        with closing(steps):
            while True:
                try:
                    request = steps.send(result)
                except StopIteration as end:
                    return end.value
                result = await self.run(request)

    async def _read(self, operation: Operation[Any]) -> Any:
        """Return what is about to be cached."""
        return await self._execute(operation)

    @abstractmethod
    async def _execute(self, operation: Operation[Any]) -> Any:
        """Return what the operation decodes, asked anew."""

    @abstractmethod
    def _in_transaction(self) -> bool:
        """Tell whether what is read now may be rolled back, so that nobody else may see it."""


class AsyncDatabase(Base[AsyncConnection, asyncio.Lock], AsyncRunner):
    """Async twin of `Database`: any number of tasks may share one.

    Connections belong to the event loop that opened them; used from another, it opens new ones.
    """

    def __init__(
        self,
        target: Target,
        cache: Cache,
        *,
        schema: str | None,
        max_size: int,
        live: bool,
        timeout: float | None,
    ) -> None:
        super().__init__(
            target, cache, schema=schema, max_size=max_size, live=live, timeout=timeout
        )
        self._pools: dict[asyncio.AbstractEventLoop, LoopPool] = {}

    async def run[T](self, request: Request[T]) -> T:
        """Return the result of a request."""
        match request:
            case Workflow(transaction=True):
                async with self.transaction():
                    return await self._run_steps(request.steps)
            case Copy():
                async with aclosing(self.stream(request)) as results:
                    return await anext(results)
            case _:
                return await super().run(request)

    async def _read(self, operation: Operation[Any]) -> Any:
        if not self._live_checked:
            told = await self._execute(installed(self.schema))
            if self._first_check():
                warn_unless(installed=told)
        return await self._execute(operation)

    async def _execute(self, operation: Operation[Any]) -> Any:
        if not operation.statements:
            return operation.decode(())
        statements = await self._chosen(operation)
        try:
            rows = await self._attempt(operation.name, statements)
        except ConnectionFailed as error:
            if self._in_transaction() or not repeatable(error, reads=operation.reads):
                raise
            rows = await self._attempt(operation.name, statements)
        finally:
            self._evict(operation)
        return operation.decode(rows)

    async def _chosen(self, operation: Operation[Any]) -> Sequence[Statement]:
        if operation.bare is None:
            return operation.statements
        self._extended = self._extended or await self._execute(extended(self.schema))
        return operation.statements if self._extended else operation.bare

    async def _attempt(self, name: str, statements: Sequence[Statement]) -> Sequence[Row]:
        async with self._connection() as connection:
            with translated(name):
                return await self._fetch(connection, statements)

    async def _fetch(
        self, connection: AsyncConnection, statements: Sequence[Statement]
    ) -> Sequence[Row]:
        if len(statements) == 1:
            return await _fetched_async(await self._send(connection, statements[0]))
        if any(statement.parameters is None for statement in statements):
            async with connection.transaction():
                for statement in statements:
                    await self._send(connection, statement)
            return ()
        if self._in_transaction():
            async with pipeline_async(connection):
                *_, cursor = [await self._send(connection, statement) for statement in statements]
            return await _fetched_async(cursor)
        try:
            async with pipeline_async(connection):
                *_, cursor, _ = [
                    await self._send(connection, statement)
                    for statement in (BEGIN, *statements, COMMIT)
                ]
        finally:
            if left_open(connection):
                with suppress(Error):
                    await connection.rollback()
        return await _fetched_async(cursor)

    async def _send(self, connection: AsyncConnection, statement: Statement) -> AsyncCursor:
        return await connection.execute(self._query(statement), statement.parameters)

    def stream[T](self, copy: Copy[T]) -> AsyncGenerator[T]:
        """Async twin of `Database.stream`; what is made is made in other threads."""
        itself: list[Stream] = []
        stream = self._stream(copy, itself)
        itself.append(weakref.ref(stream))
        return stream

    async def _stream[T](self, copy: Copy[T], itself: Sequence[Stream]) -> AsyncGenerator[T]:
        begun = False
        try:
            async with aclosing(self._copied(copy, itself)) as made:
                async for item in made:
                    begun = True
                    yield item
            return
        except ConnectionFailed as error:
            if begun or self._in_transaction() or not repeatable(error, reads=True):
                raise
        async with aclosing(self._copied(copy, itself)) as made:
            async for item in made:
                yield item

    async def _copied[T](self, copy: Copy[T], stream: Sequence[Stream]) -> AsyncGenerator[T]:
        with copy.collect() as collector:
            async with self._connection() as connection:
                with translated(copy.name):
                    async with AsyncExitStack() as stack:
                        if (transaction := joined(self)) is not None:
                            transaction.streams.extend(stream)
                            await stack.enter_async_context(connection.transaction())
                        text = copied(copy.statement, self.schema, connection)
                        rows = await stack.enter_async_context(connection.cursor().copy(text))
                        while some := await connection.wait(received(rows)):
                            for item in await _in_thread(collector.take, some):
                                yield item
            for item in await _in_thread(collector.finish):
                yield item

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """Async twin of `Database.transaction`, for this task and those that it starts."""
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self._connection())
            transaction = Transaction(connection, asyncio.Lock())
            stack.callback(release, transaction.turn)
            stack.enter_context(self._joining(transaction))
            with translated("begin a transaction"):
                await stack.enter_async_context(connection.transaction())
            stack.push_async_callback(transaction.turn.acquire)
            stack.push_async_callback(_close_all_async, transaction.streams)
            yield
            check_kept(connection)
            with translated("commit a transaction"):
                await stack.aclose()

    def _connection(self) -> "_AsyncConnection":
        return _AsyncConnection(self)

    async def opened(self) -> AsyncPool:
        own = self._pools.setdefault(asyncio.get_running_loop(), LoopPool())
        async with own.opening:
            if own.pool is None:
                self._abandon_ended()
                conninfo = partial(conninfo_async, self.target)
                pool = AsyncPool(conninfo, self._max_size, self._timeout, configure=_read_committed)
                await pool.open()
                if self._live:
                    own.listener = asyncio.create_task(listen(conninfo, self._cache))
                own.pool = pool
            return own.pool

    def _abandon_ended(self) -> None:
        """Close the connections of event loops that have ended without `close`."""
        for loop in [loop for loop in tuple(self._pools) if loop.is_closed()]:
            ended = self._pools.pop(loop, None)
            if ended is not None and ended.pool is not None:
                ended.pool.abandon()

    async def close(self) -> None:
        """Async twin of `Database.close`, for the connections of this event loop."""
        self._abandon_ended()
        own = self._pools.get(asyncio.get_running_loop())
        if own is not None:
            async with own.opening:  # after whoever opens it
                pool, own.pool = own.pool, None
            if pool is not None:
                await stop_listening(own.listener)
                await pool.close()
        await asyncio.to_thread(self.target.close)


class _AsyncConnection:
    """Async twin of `_Connection`."""

    __slots__ = ("_connection", "_database", "_pool", "_transaction")

    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database

    async def __aenter__(self) -> AsyncConnection:
        transaction = self._transaction = joined(self._database)
        if transaction is not None:
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    await transaction.turn.acquire()
            except TimeoutError:
                raise busy() from None
            if not transaction.ended:
                return transaction.connection
            transaction.turn.release()
            self._transaction = None
        while True:
            self._pool = await self._database.opened()
            try:
                self._connection = await self._pool.acquire()
            except ConnectionFailed as error:
                if not was_closed(error):
                    raise
            else:
                return self._connection

    async def __aexit__(self, *error: object) -> None:
        if self._transaction is not None:
            self._transaction.turn.release()
        else:
            await self._pool.release(self._connection)


@dataclass(slots=True)
class LoopPool:
    """The pool of one event loop, who is opening it, and what listens beside it."""

    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    pool: AsyncPool | None = None
    listener: asyncio.Task[None] | None = None


async def _read_committed(connection: AsyncConnection) -> None:
    await connection.set_isolation_level(READ_COMMITTED)


async def _settled(entry: Future[Any]) -> Any:
    return entry.result() if entry.done() else await asyncio.wrap_future(entry)


async def _close_all_async(streams: Sequence[Stream]) -> None:
    for stream in filter(None, [reference() for reference in streams]):
        with suppress(RuntimeError):  # another task is amid it, and will be waited for
            await stream.aclose()


async def _in_thread[T](function: Callable[..., T], *arguments: object) -> T:
    """Return what a function returns in another thread; it has ended there, also if cancelled."""
    ending = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(ending)
    finally:
        await asyncio.wait([ending])


async def _fetched_async(cursor: AsyncCursor) -> Sequence[Row]:
    return () if cursor.rownumber is None else await cursor.fetchall()
