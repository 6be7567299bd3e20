"""Operations on psycopg's `Connection`: pool, transactions and cache. `asynchronous` is the twin.

All that waits is here and in `pooling`, once for psycopg's ``Connection`` and once for its
``AsyncConnection``; what is asked and what the answer means stands in the operations.
"""

import os
import threading
import weakref
from collections.abc import Generator, Sequence
from contextlib import (
    ExitStack,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus
from psycopg_pool import PoolClosed

from draive_pg.database.cache import Cache, LeaderGone
from draive_pg.database.copy import copied, received
from draive_pg.database.endpoint import Target
from draive_pg.database.errors import translated
from draive_pg.database.live import Listener, installed, warn_unless
from draive_pg.database.pipeline import pipeline
from draive_pg.database.pool import NoAnswer, Pool
from draive_pg.database.transactions import (
    TURN_SECONDS,
    Transaction,
    Turn,
    busy,
    check_kept,
    joined,
    joining,
    leave_all,
    release,
)
from draive_pg.errors import ConnectionFailed
from draive_pg.operations.admin.migrations import extended
from draive_pg.operations.copy import Copy
from draive_pg.operations.operation import (
    Call,
    Operation,
    Request,
    Row,
    Statement,
    Steps,
    Workflow,
    qualified,
)

__all__ = ("BEGIN", "COMMIT", "Base", "Database", "left_open", "repeatable", "was_closed")

# What a session says that an administrator ended, or that was idle for longer than it may.
ENDED = ("57P01", "57P05")

BEGIN = Statement("BEGIN ISOLATION LEVEL READ COMMITTED")
COMMIT = Statement("COMMIT")


type Stream = weakref.ref[Generator[Any]]


class Base[C: Connection | AsyncConnection, L: Turn]:
    """What both colours share: nothing here does I/O."""

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
        self.target = target
        self.schema = schema
        self._cache = cache
        self._max_size = max_size
        self._timeout = timeout
        self._live = live
        self._live_checked = not live
        self._extended = False

    def __repr__(self) -> str:
        return f"{self.target!r}{'' if self.schema is None else f', schema={self.schema!r}'}"

    def _in_transaction(self) -> bool:
        return joined(self) is not None

    @contextmanager
    def _joining(self, transaction: Transaction[C, L]) -> Generator[None]:
        """Let operations join a transaction; what they made stale leaves the cache at its end.

        Nothing read within is cached, so no one is served what may yet be rolled back.
        """
        outer = joined(self)
        try:
            with joining(self, transaction):
                yield
        finally:
            if outer is not None:
                outer.stale |= transaction.stale
            else:
                self._cache.evict(*transaction.stale)

    def _evict(self, operation: Operation[Any]) -> None:
        """Evict what an operation changes, also when it fails: its outcome may be unknown."""
        if not operation.evicts:
            return
        if (transaction := joined(self)) is not None:
            transaction.stale.update(operation.evicts)
        else:
            self._cache.evict(*operation.evicts)

    def _first_check(self) -> bool:
        """Tell whether nobody has seen yet whether changes are told, for that is said once."""
        first, self._live_checked = not self._live_checked, True
        return first

    def _query(self, statement: Statement) -> bytes:
        return qualified(statement.sql, self.schema)


class Database(Base[Connection, threading.Lock]):
    """Runs operations on psycopg's `Connection`; any number of threads may share one."""

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
        self._reset()
        _databases.add(self)

    def _reset(self) -> None:
        self._pool: Pool | None = None
        self._finalizer = weakref.finalize(self, self.target.close)
        self._opening = threading.Lock()

    def forget(self) -> None:
        """Leave to the parent of this process, of which it was forked, what is the parent's."""
        if self._pool is not None:
            _inherited.append(self._pool)
        self._finalizer.detach()
        self._reset()

    def run[T](self, request: Request[T]) -> T:
        """Return the result of a request."""
        match request:
            case Operation():
                return self._run_operation(request)
            case Workflow():
                with self.transaction() if request.transaction else nullcontext():
                    return self._run_steps(request.steps)
            case Copy():
                with closing(self.stream(request)) as results:
                    return next(results)
            case Call():
                return request.function()
            case _:
                raise TypeError(f"not a request: {request!r:.80}")

    def _run_operation[T](self, operation: Operation[T]) -> T:
        """Return the result of an operation, from the cache if it may be cached."""
        key = operation.key
        if key is None or not self._cache.keeps or self._in_transaction():
            return operation.present(self._execute(operation))
        while True:
            entry, leads = self._cache.join(key)
            if leads:
                with self._cache.lead(key, entry):
                    entry.set_result(self._read(operation))
            try:
                return operation.present(entry.result())
            except LeaderGone:
                continue

    def _run_steps[T](self, steps: Steps[T]) -> T:
        result = None
        with closing(steps):
            while True:
                try:
                    request = steps.send(result)
                except StopIteration as end:
                    return end.value
                result = self.run(request)

    def _read(self, operation: Operation[Any]) -> Any:
        """Return what is about to be cached; the first time, see whether changes are told."""
        if not self._live_checked:
            told = self._execute(installed(self.schema))
            if self._first_check():
                warn_unless(installed=told)
        return self._execute(operation)

    def _execute(self, operation: Operation[Any]) -> Any:
        if not operation.statements:
            return operation.decode(())
        statements = self._chosen(operation)
        try:
            rows = self._attempt(operation.name, statements)
        except ConnectionFailed as error:
            if self._in_transaction() or not repeatable(error, reads=operation.reads):
                raise
            rows = self._attempt(operation.name, statements)
        finally:
            self._evict(operation)
        return operation.decode(rows)

    def _chosen(self, operation: Operation[Any]) -> Sequence[Statement]:
        """Return the statements that the tables allow; they are looked for until they are there."""
        if operation.bare is None:
            return operation.statements
        self._extended = self._extended or self._execute(extended(self.schema))
        return operation.statements if self._extended else operation.bare

    def _attempt(self, name: str, statements: Sequence[Statement]) -> Sequence[Row]:
        with self._connection() as connection, translated(name):
            return self._fetch(connection, statements)

    def _fetch(self, connection: Connection, statements: Sequence[Statement]) -> Sequence[Row]:
        if len(statements) == 1:
            return _fetched(self._send(connection, statements[0]))
        if any(statement.parameters is None for statement in statements):
            with connection.transaction():
                for statement in statements:
                    self._send(connection, statement)
            return ()
        if self._in_transaction():
            with pipeline(connection):
                *_, cursor = [self._send(connection, statement) for statement in statements]
            return _fetched(cursor)
        try:
            with pipeline(connection):  # one round trip for all
                *_, cursor, _ = [
                    self._send(connection, statement) for statement in (BEGIN, *statements, COMMIT)
                ]
        finally:
            if left_open(connection):
                with suppress(psycopg.Error):  # what is raised already tells more
                    connection.rollback()
        return _fetched(cursor)

    def _send(self, connection: Connection, statement: Statement) -> psycopg.Cursor:
        return connection.execute(self._query(statement), statement.parameters)

    def stream[T](self, copy: Copy[T]) -> Generator[T]:
        """Yield what is made of the rows of a COPY, as they come.

        Until it ends or is closed, it holds a connection, or that of the transaction it is part
        of, which closes it at its own end.
        """
        itself: list[Stream] = []
        stream = self._stream(copy, itself)
        itself.append(weakref.ref(stream))
        return stream

    def _stream[T](self, copy: Copy[T], itself: Sequence[Stream]) -> Generator[T]:
        begun = False
        try:
            with closing(self._copied(copy, itself)) as made:
                for item in made:
                    begun = True
                    yield item
            return
        except ConnectionFailed as error:
            if begun or self._in_transaction() or not repeatable(error, reads=True):
                raise
        with closing(self._copied(copy, itself)) as made:
            yield from made

    def _copied[T](self, copy: Copy[T], stream: Sequence[Stream]) -> Generator[T]:
        with copy.collect() as collector:
            with self._connection() as connection, translated(copy.name), ExitStack() as stack:
                if (transaction := joined(self)) is not None:
                    transaction.streams.extend(stream)
                    # A COPY that is cut short would fail all of the transaction otherwise.
                    stack.enter_context(connection.transaction())
                text = copied(copy.statement, self.schema, connection)
                rows = stack.enter_context(connection.cursor().copy(text))
                while some := connection.wait(received(rows)):
                    yield from collector.take(some)
            yield from collector.finish()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Let the operations that this thread runs in the block take effect together or not."""
        with ExitStack() as stack:
            connection = stack.enter_context(self._connection())
            transaction = Transaction(connection, threading.Lock())
            stack.callback(release, transaction.turn)
            stack.enter_context(self._joining(transaction))
            with translated("begin a transaction"):
                stack.enter_context(connection.transaction())
            stack.callback(transaction.turn.acquire)  # at the end, after whoever uses it
            stack.callback(_close_all, transaction.streams)
            yield
            check_kept(connection)
            with translated("commit a transaction"):
                stack.close()

    def _connection(self) -> "_Connection":
        return _Connection(self)

    def opened(self) -> Pool:
        with self._opening:
            if self._pool is None:
                pool = Pool(self.target.conninfo, self._max_size, self._timeout)
                pool.open()
                listener = Listener(self.target.conninfo, self._cache) if self._live else None
                # Also at exit: a pool's threads that nobody stops hold the interpreter up.
                self._finalizer.detach()
                self._finalizer = weakref.finalize(self, _close, pool, listener, self.target)
                self._pool = pool
            return self._pool

    def close(self) -> None:
        """Close the connections; the next operation opens new ones."""
        with self._opening:
            finalizer, self._finalizer = self._finalizer, weakref.finalize(self, self.target.close)
            self._pool = None  # at first, for an interrupt may come in between
            finalizer()


class _Connection:
    """A connection for a block: that of the transaction it is part of, else one of the pool.

    Not a generator, as `translated` is none.
    """

    __slots__ = ("_connection", "_database", "_pool", "_transaction")

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Connection:
        transaction = self._transaction = joined(self._database)
        if transaction is not None:
            if not transaction.turn.acquire(timeout=TURN_SECONDS):
                raise busy()
            if not transaction.ended:  # while this waited
                return transaction.connection
            transaction.turn.release()
            self._transaction = None
        while True:
            self._pool = self._database.opened()
            try:
                self._connection = self._pool.acquire()
            except ConnectionFailed as error:
                if not was_closed(error):
                    raise
            else:
                return self._connection

    def __exit__(self, *error: object) -> None:
        if self._transaction is not None:
            self._transaction.turn.release()
        else:
            self._pool.release(self._connection)


_databases = weakref.WeakSet[Database]()

# Pools of a parent process. They are kept, for to close them would end the parent's sessions.
_inherited: list[Pool] = []


def _forget_parent() -> None:
    leave_all()
    for database in tuple(_databases):
        database.forget()


os.register_at_fork(after_in_child=_forget_parent)


def repeatable(error: ConnectionFailed, *, reads: bool) -> bool:
    """Tell whether to do again what lost its connection: it changes nothing, or was not done.

    A session that was told to end says so only while the transaction can still be rolled back.
    """
    lost = isinstance(error.__cause__, psycopg.Error) and not isinstance(error.__cause__, NoAnswer)
    return error.sqlstate in ENDED or (reads and lost)


def was_closed(error: ConnectionFailed) -> bool:
    """Tell whether no connection was to be had because another had just closed the client."""
    return isinstance(error.__cause__, PoolClosed)


def _fetched(cursor: psycopg.Cursor) -> Sequence[Row]:
    return () if cursor.rownumber is None else cursor.fetchall()


def _close_all(streams: Sequence[Stream]) -> None:
    for stream in filter(None, [reference() for reference in streams]):
        with suppress(ValueError):  # another thread is amid it, and will be waited for
            stream.close()


def left_open(connection: Connection | AsyncConnection) -> bool:
    """Tell whether an error has left a transaction open on a connection that still lives."""
    return connection.info.transaction_status in (
        TransactionStatus.INTRANS,
        TransactionStatus.INERROR,
    )


def _close(pool: Pool, listener: Listener | None, target: Target) -> None:
    if listener is not None:
        listener.stop()
    pool.close()
    target.close()
