"""Extensions of psycopg: a timeout per call, statements in one round trip, COPY rows in bulk.

This is the only module that uses private interfaces of psycopg. On import, it checks them.
"""

import asyncio
import os
import re
import select
import socket
import threading
from _thread import start_new_thread
from array import array
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from inspect import signature
from time import time
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple, cast, override

import psycopg
from psycopg import (
    AsyncConnection,
    AsyncCopy,
    AsyncRawCursor,
    BaseConnection,
    Connection,
    Copy,
    Error,
    IsolationLevel,
    OperationalError,
    RawCursor,
)
from psycopg.abc import PQGen, PQGenConn
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import InFailedSqlTransaction
from psycopg.pq import ExecStatus, Format, PGconn, PipelineStatus, TransactionStatus
from psycopg.sql import Literal

from draive_pg.database.adaptation import ADAPTERS, Adaptation
from draive_pg.database.deadline import Deadline
from draive_pg.database.observe import logger
from draive_pg.database.prepared import NOT_PREPARING, PROBE, Names, Prepared, Preparing
from draive_pg.operations.copy import Rows
from draive_pg.operations.operation import Row, Statement, qualified

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

try:
    from psycopg.errors import (
        _WaitTimeout,  # pyright: ignore[reportPrivateUsage]
        error_from_result,
    )
    from psycopg.generators import fetch, fetch_many, send
    from psycopg.waiting import Wait, wait, wait_async, wait_conn

    for connection_class in (Connection, AsyncConnection):
        if "timeout" not in signature(connection_class.wait).parameters:
            raise ImportError(f"{connection_class.__name__}.wait has no parameter timeout")
    for name in ("_num_transactions", "_autocommit"):
        if name not in BaseConnection.__init__.__code__.co_names:
            raise ImportError(f"BaseConnection has no attribute {name}")
    for name in ("_cancel_gen", "_connect_gen"):
        if not hasattr(BaseConnection, name):
            raise ImportError(f"BaseConnection has no method {name}")
except ImportError as error:
    raise ImportError(
        f"draive_pg needs psycopg 3.3, found {psycopg.__version__}: {error}; "
        "pip install 'psycopg>=3.3.9,<3.4'"
    ) from None

# psycopg prepares nothing by itself: see `prepared`.
OPTIONS: dict[str, Any] = {"autocommit": True, "prepare_threshold": None, "context": ADAPTERS}

# Set explicitly: with a stricter default of the role, statements that waited for a lock would not
# see what was committed meanwhile.
READ_COMMITTED = IsolationLevel.READ_COMMITTED
BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED"
COMMIT = b"COMMIT"
ROLLBACK = b"ROLLBACK"

# Compiling statements of many expressions takes longer than running them: the planner expects more
# rows of JSON than there are. Not behind a pooler, whose sessions are shared: there, the process is
# another one than that of the connection.
JIT_OFF = b"""
SELECT set_config('jit', 'off', FALSE)
WHERE pg_backend_pid() = $1 AND current_setting('jit', TRUE) = 'on'
"""

SCRIPT = "script"  # instead of a method of a PGconn: statements without parameters

CHECK_SECONDS = 2.0  # for the answer to a liveness check

# Seconds to cancel a statement on the server and to receive its result: after a timeout, and after
# a cancelled task or Ctrl-C.
CANCEL_SECONDS = 2.0
INTERRUPT_SECONDS = 5.0

# Seconds until a cancel request is repeated: a server that is between two statements ignores it.
REPEAT_SECONDS = 0.3

# A network can drop an idle connection without closing our end of the socket.
IDLE_SECONDS = 60.0

INTERVAL = 0.1  # seconds between checks for Ctrl-C


class Block(NamedTuple):
    """The statements that begin, end and roll back a transaction or a savepoint."""

    begin: bytes
    end: bytes
    rollback: bytes


def _savepoint(name: bytes) -> Block:
    return Block(
        b"SAVEPOINT " + name, b"RELEASE " + name, b"ROLLBACK TO %b; RELEASE %b" % (name, name)
    )


TRANSACTION = Block(BEGIN, COMMIT, ROLLBACK)
SAVEPOINT = _savepoint(b"draive_pg")
# If an interrupt leaves it open, a block around it still rolls back to its own savepoint.
COPY_SAVEPOINT = _savepoint(b"draive_pg_copy")


class Exchange:
    """Statements for one round trip, and what the server has answered so far.

    Several statements are sent in a pipeline, scripts (statements without parameters) one by one.
    Unlike psycopg's pipeline, it sends no Flush after the Sync: a transaction pooler would assign a
    server connection to the idle client until its next call. And the rest of the answer can be
    received after an interrupt, so that the outcome of a write is known.

    Parameters
    ----------
    connection : Connection | AsyncConnection
        The connection on which it is run.
    *queries : tuple of bytes and sequence
        SQL texts with their parameters.
    block : Block | None
        Put them between the statements that begin and end this block.
    prepared : Prepared | None
        The prepared statements of the connection, to use them and to prepare more; None: do not.
    """

    def __init__(
        self,
        connection: Connection | AsyncConnection,
        *queries: tuple[bytes, Sequence[object] | None],
        block: "Block | None" = None,
        prepared: Prepared | None = None,
    ) -> None:
        self._pgconn = connection.pgconn
        self._transformer = Transformer(ADAPTERS)
        self.prepared = prepared
        self._named: Names = {}
        commands = [command for query in queries for command in self._query(*query)]
        self._commands: list[tuple[Any, ...]] = commands
        self.block = block
        if block is not None:
            self._commands = [(SCRIPT, block.begin), *commands, (SCRIPT, block.end)]
        scripts = None in [parameters for _, parameters in queries]
        self._pipelined = len(self._commands) > 1 and not scripts
        self._data = None if scripts else len(commands) - 1 + (block is not None)
        self._results: list[PGresult] = []
        self._synced = False

    def _query(self, sql: bytes, parameters: Sequence[object] | None) -> list[tuple[Any, ...]]:
        """Return the methods of a PGconn that send a query, with their arguments."""
        if parameters is None:
            return [(SCRIPT, sql)]
        transformer = self._transformer
        values = transformer.dump_sequence(parameters, [PyFormat.AUTO] * len(parameters))
        types, formats = transformer.types, transformer.formats
        commands: list[tuple[Any, ...]] = []
        name: bytes | None = None
        if self.prepared is not None:
            name, is_new = self.prepared.name_of(sql, types)
            if name is not None and is_new:
                commands.append((PGconn.send_prepare, name, sql, types))
                self._named[sql, types] = name
        # Binary results do not depend on DateStyle and other settings.
        if name is None:
            commands.append((PGconn.send_query_params, sql, values, types, formats, Format.BINARY))
        else:
            commands.append((PGconn.send_query_prepared, name, values, formats, Format.BINARY))
        return commands

    def _send(self, function: Any, *arguments: Any) -> None:
        if function is not SCRIPT:
            function(self._pgconn, *arguments)
        elif self._pipelined:
            self._pgconn.send_query_params(arguments[0], None)
        else:
            self._pgconn.send_query(arguments[0])

    @property
    def commits(self) -> bool:
        """Whether it ends with COMMIT."""
        return self._commands[-1] == (SCRIPT, COMMIT)

    @property
    def round_trips(self) -> int:
        """How often the client waits for the server."""
        return 1 if self._pipelined else len(self._commands)

    @property
    def committed(self) -> bool:
        """Whether the server has answered COMMIT."""
        return any(result.command_status == COMMIT for result in self._results)

    @property
    def refused(self) -> bool:
        """Whether the server answered a statement before COMMIT by an error.

        Then it has executed no later statement.
        """
        failed = [result.status == ExecStatus.FATAL_ERROR for result in self._results]
        return self.commits and True in failed[: len(self._commands) - 1]

    def rows(self) -> Sequence[Row]:
        """Return the rows of the last statement, COMMIT not counted; none for scripts."""
        if self._data is None or not (result := self._results[self._data]).nfields:
            return ()
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def run(self) -> PQGen[None]:
        """Send the statements and receive the results, or raise the first error."""
        pgconn = self._pgconn
        try:
            if self._pipelined:
                pgconn.enter_pipeline_mode()
                for command in self._commands:
                    self._send(*command)
                yield from self.receive()
                self._check()
            else:
                for command in self._commands:
                    self._send(*command)
                    yield from self.receive()
                    self._check()
        except OperationalError:
            self._check()  # a server that ends a session says why before it closes the connection
            raise

    def receive(self) -> PQGen[None]:
        """Receive the results of what was sent; it can be repeated after an interrupt."""
        pgconn = self._pgconn
        if self._pipelined and not self._synced:
            pgconn.pipeline_sync()
            self._synced = True
        yield from send(pgconn)
        # Each result is kept at once: an interrupt would lose what `fetch_many` has received.
        ended = False
        while True:
            result = yield from fetch(pgconn)
            if result is None:  # the end of the results of a statement
                if ended or not self._pipelined:
                    break
            elif result.status == ExecStatus.PIPELINE_SYNC:
                break
            else:
                self._results.append(result)
            ended = result is None
        if self._pipelined:
            pgconn.exit_pipeline_mode()

    def _check(self) -> None:
        for result in self._results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
            if self.commits and result.command_status == ROLLBACK:
                raise InFailedSqlTransaction("an operation failed, so nothing was committed")
        if self.prepared is not None and len(self._results) == len(self._commands):
            self.prepared.names.update(self._named)


class _Pooled:
    """State of a connection of a pool.

    Attributes
    ----------
    call_timeout : float | None
        Seconds to wait for each answer if there is no deadline (adapters); None: no limit.
    deadline : Deadline | None
        The end of the timeout of the current call.
    pid : int
        The process that opened it: a forked one must not use its socket.
    last_used : float
        The wall-clock time of its return to the pool; it also counts while a computer sleeps.
    lease : Any
        The pool's lease while the connection is in use, see `pool._Lease`; or the object that was
        lent, see `external_pool`.
    nested : bool
        Whether it was lent in a transaction of its owner.
    busy : bool
        Whether an exchange has begun whose outcome is not known. This remains so if another Ctrl-C
        ends the wait for the outcome. Then the connection must not be used again, because a thread
        may be about to cancel what it runs.
    prepared : Prepared | None
        Its prepared statements; None: it prepares none.
    leaked : deque | None
        Where it is put if it is garbage collected before it is released; None: nowhere.
    """

    call_timeout: float | None = None
    deadline: Deadline | None = None
    pid: int = 0
    last_used: float = 0.0
    lease: Any = None
    nested: bool = False
    busy: bool = False
    prepared: Prepared | None = None
    leaked: deque[Any] | None = None

    def __del__(self, *_: object) -> None:
        """Do not warn of unclosed connections, as psycopg does: the pool owns this one."""
        if self.leaked is not None:
            self.leaked.append(self)


class TimedConnection(_Pooled, Connection):
    """A connection that is closed when the server does not answer within a timeout."""

    @classmethod
    def open(
        cls, conninfo: str, deadline: Deadline, preparing: Preparing = NOT_PREPARING
    ) -> "TimedConnection":
        """Connect, and check whether the server keeps prepared statements."""
        token = _connecting.set(deadline)
        try:
            connection = cls.connect(conninfo, cursor_factory=cast("Any", RawCursor), **OPTIONS)
        finally:
            _connecting.reset(token)
        with _opened(connection, deadline):
            connection.run(Exchange(connection, (JIT_OFF, (connection.pgconn.backend_pid,))))
            if (probe := _probe(connection, preparing)) is not None:
                with preparing.refusal():
                    connection.run(probe)
                    preparing.check(probe.rows()[0], connection.pgconn.backend_pid)
        return connection

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn["TimedConnection"]:
        """Connect to one address, until the deadline of all."""
        deadline = _connecting.get()
        connecting = super()._connect_gen(conninfo)
        try:
            waiting = next(connecting)
            while deadline.left() != 0.0:
                waiting = connecting.send((yield waiting))
        except StopIteration as end:
            return end.value
        raise deadline.error()

    @override
    def wait[T](self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        deadline = _begin(self)
        try:
            return super().wait(gen, interval, deadline.left())
        except _WaitTimeout:
            with suppress(Error):
                self.cancel_safe(timeout=CANCEL_SECONDS)
            self.close()
            raise deadline.error() from None

    def run(self, exchange: Exchange) -> None:
        """Run an exchange; after a timeout or an interrupt, first find out how it ends.

        Raises
        ------
        psycopg.Error
            If the server reports an error, does not answer, or the connection is lost, unless it
            has answered COMMIT.
        """
        deadline = _begin(self)
        self.busy = True
        try:
            wait(exchange.run(), self.pgconn.socket, INTERVAL, deadline.left())
        except BaseException as error:
            if _is_interrupt(error):
                settled = _Signal()
                _settle_exchange(self, exchange, error, settled.send)
                error = settled.wait() or error  # an interrupt rather than a timeout
            self.busy = False
            if _must_raise(error, exchange, deadline):
                raise error
        self.busy = False

    def usable(self, deadline: Deadline) -> bool:
        """Return whether the connection is alive; ask the server only if that is in doubt."""
        if not _in_doubt(self):
            return True
        try:
            ping = Exchange(self, (b"", None)).run()
            wait(ping, self.pgconn.socket, INTERVAL, deadline.within(CHECK_SECONDS))
        except Error:
            return False
        return True


class AsyncTimedConnection(_Pooled, AsyncConnection):
    """Async version of `TimedConnection`."""

    @classmethod
    async def open(
        cls, conninfo: str, deadline: Deadline, preparing: Preparing = NOT_PREPARING
    ) -> "AsyncTimedConnection":
        """Async version of `TimedConnection.open`."""
        factory = cast("Any", AsyncRawCursor)
        try:
            async with asyncio.timeout(deadline.left()):
                connection = await cls.connect(conninfo, cursor_factory=factory, **OPTIONS)
        except TimeoutError:
            raise deadline.error() from None
        with _opened(connection, deadline):
            await connection.run(Exchange(connection, (JIT_OFF, (connection.pgconn.backend_pid,))))
            if (probe := _probe(connection, preparing)) is not None:
                with preparing.refusal():
                    await connection.run(probe)
                    preparing.check(probe.rows()[0], connection.pgconn.backend_pid)
        return connection

    @override
    async def wait[T](
        self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None
    ) -> T:
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        deadline, results = _begin(self), list[T]()
        receiving = _receive(gen, results)
        try:
            return await wait_async(receiving, self.pgconn.socket, interval, deadline.left())
        except asyncio.CancelledError as error:
            # As in `run`: a statement of the adapters that is applied does not raise.
            rest, settled = _ignore_errors(receiving), Future[None]()
            end = partial(settled.set_result, None)
            _settle(self, lambda: rest, error, lambda: not results, end)
            await wait_until_done(asyncio.wrap_future(settled))
            if not results or self.info.transaction_status != TransactionStatus.IDLE:
                raise
            deliver_later()
            return results[0]
        except _WaitTimeout:
            with suppress(Error):
                await self.cancel_safe(timeout=CANCEL_SECONDS)
            await self.close()
            raise deadline.error() from None

    async def run(self, exchange: Exchange) -> None:
        """Async version of `TimedConnection.run`.

        If the task is cancelled but the server has committed, this returns, and the cancellation is
        delivered at the next ``await``: a write that raises CancelledError was not applied. A task
        that ends before that is not cancelled, so its result is not lost.
        """
        deadline = _begin(self)
        self.busy = True
        try:
            await wait_async(exchange.run(), self.pgconn.socket, INTERVAL, deadline.left())
        except GeneratorExit:  # nothing can be awaited any more
            raise
        except BaseException as error:
            if _is_interrupt(error):
                settled = Future[None]()
                _settle_exchange(self, exchange, error, partial(settled.set_result, None))
                if await wait_until_done(asyncio.wrap_future(settled)):
                    error = asyncio.CancelledError()  # rather than a timeout
            self.busy = False
            if exchange.committed and isinstance(error, asyncio.CancelledError):
                deliver_later()
                return
            if _must_raise(error, exchange, deadline):
                raise error
        self.busy = False

    async def usable(self, deadline: Deadline) -> bool:
        """Async version of `TimedConnection.usable`."""
        if not _in_doubt(self):
            return True
        try:
            ping = Exchange(self, (b"", None)).run()
            await wait_async(ping, self.pgconn.socket, INTERVAL, deadline.within(CHECK_SECONDS))
        except Error:
            return False
        return True


@contextmanager
def _opened(
    connection: TimedConnection | AsyncTimedConnection, deadline: Deadline
) -> Generator[None]:
    """Set up a new connection until the deadline, and close it if that fails."""
    connection.call_timeout, connection.last_used = deadline.seconds, time()
    connection.pid, connection.deadline = os.getpid(), deadline
    try:
        yield
    except BaseException:
        connection.pgconn.finish()
        raise
    connection.deadline = None


def _probe(
    connection: TimedConnection | AsyncTimedConnection, preparing: Preparing
) -> Exchange | None:
    """Let a connection prepare statements; return how to check that, unless it is known."""
    connection.prepared, is_unchecked = preparing.begin()
    return Exchange(connection, PROBE, prepared=connection.prepared) if is_unchecked else None


def borrow[C: TimedConnection | AsyncTimedConnection](
    kind: type[C], owner: Connection[Any] | AsyncConnection[Any]
) -> C:
    """Return a connection of this package with the session of another one, which keeps it."""
    pgconn = owner.pgconn
    handlers = pgconn.notice_handler, pgconn.notify_handler
    connection = cast("C", cast("Any", kind)(pgconn))
    pgconn.notice_handler, pgconn.notify_handler = handlers
    cast("Any", connection)._autocommit = True  # noqa: SLF001 - its setter asks the server
    connection.prepare_threshold = None
    connection.pid = os.getpid()
    connection.lease = owner
    connection.nested = pgconn.transaction_status != TransactionStatus.IDLE
    return connection


async def wait_until_done(future: asyncio.Future[Any]) -> bool:
    """Wait for a future, and return whether the task was cancelled meanwhile."""
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


# The deadline of a connection attempt, for `TimedConnection._connect_gen`.
_connecting = ContextVar[Deadline]("draive_pg_connecting")


def _receive[T](gen: PQGen[T], results: list[T]) -> PQGen[T]:
    """Run a generator, and keep its result, which an interrupt may lose."""
    results.append((yield from gen))
    return results[0]


def _ignore_errors(gen: PQGen[Any]) -> PQGen[None]:
    """Run the rest of a generator, without the errors that the server reports."""
    try:
        yield from gen
    except Error as error:
        if error.sqlstate is None:
            raise


def deliver_later() -> None:
    """Deliver a cancellation that was caught at the next ``await`` of the task."""
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().call_soon(_cancel_again, task)


def _cancel_again(task: asyncio.Task[Any]) -> None:
    """Deliver a cancellation that was caught, unless a timeout has withdrawn it meanwhile."""
    if task.cancelling():
        task.uncancel()  # the request is counted already
        task.cancel()


def _begin(connection: TimedConnection | AsyncTimedConnection) -> Deadline:
    """Return the deadline of what will be sent; raise in a forked process."""
    if connection.pid != os.getpid():
        raise OperationalError("the connection is in use by the process that forked this one")
    if connection.busy:
        raise OperationalError("the last statement of the connection has not ended")
    return connection.deadline or Deadline(connection.call_timeout)


def _is_interrupt(error: BaseException) -> bool:
    """Return whether an error is a timeout, or was raised to interrupt the caller."""
    return isinstance(error, _WaitTimeout) or not isinstance(error, Exception)


class _Signal:
    """A signal to a thread that interrupts may reach meanwhile.

    The classes of `threading` and `concurrent.futures` run Python code with locks, in which an
    interrupt raises another error, or leaves a lock taken for ever.
    """

    def __init__(self) -> None:
        self._sent = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def send(self) -> None:
        """Wake up the thread."""
        self._sent = True
        self._lock.release()

    def wait(self) -> KeyboardInterrupt | None:
        """Wait for the signal, and return the last interrupt meanwhile."""
        interrupt: KeyboardInterrupt | None = None
        while not self._sent:
            try:
                self._lock.acquire(timeout=INTERVAL)
            except KeyboardInterrupt as error:
                interrupt = error
        return interrupt


def _settle_exchange(
    connection: Connection | AsyncConnection,
    exchange: Exchange,
    error: BaseException,
    end: Callable[[], object],
) -> None:
    def is_unknown() -> bool:
        return exchange.commits and not exchange.committed and not exchange.refused

    _settle(connection, exchange.receive, error, is_unknown, end)


def _settle(
    connection: Connection | AsyncConnection,
    receive: Callable[[], PQGen[None]],
    error: BaseException,
    is_unknown: Callable[[], bool],
    end: Callable[[], object],
) -> None:
    """Cancel the statements on the server and receive their results, or close the connection.

    This runs in a thread of its own, where no further interrupt or cancellation can arrive, and
    calls ``end`` at last.
    """
    deadline = Deadline(CANCEL_SECONDS if isinstance(error, Error) else INTERRUPT_SECONDS)
    pgconn = connection.pgconn

    def settle() -> None:
        clean = True
        try:
            while not _is_idle(pgconn.transaction_status) and deadline.left():
                try:
                    cancelling = cast("Any", connection)._cancel_gen()  # noqa: SLF001
                    wait_conn(cancelling, INTERVAL, deadline.left())
                except Error:  # the request may arrive during a later statement
                    clean = False
                with suppress(_WaitTimeout):
                    left = deadline.within(REPEAT_SECONDS)
                    wait(receive(), pgconn.socket, INTERVAL, left)
                    break
        except Error:
            clean = False
        finally:
            if not clean or not _is_idle(pgconn.transaction_status):
                pgconn.finish()
                if is_unknown():
                    logger.warning("a cancelled write got no answer: it may have been applied")
            end()

    start_new_thread(settle, ())  # `Thread.start` waits, and an interrupt of that is an error


def _must_raise(error: BaseException, exchange: Exchange, deadline: Deadline) -> bool:
    """Return whether an error is raised: after COMMIT was answered, only an interrupt is.

    The caller raises it: its traceback would have a frame that refers to it, so that the connection
    would stay open until the garbage collector finds the cycle.
    """
    if exchange.committed and isinstance(error, Exception):
        logger.warning("an error after COMMIT: %s", error)
        return False
    if isinstance(error, _WaitTimeout):
        raise deadline.error() from None
    if exchange.committed:
        error.add_note("The write was applied before the interrupt.")
    return True


def _in_doubt(connection: TimedConnection | AsyncTimedConnection) -> bool:
    """Return whether a connection needs a check: it is readable (input or EOF), or was long idle.

    Most calls therefore need no round trip for the liveness check.
    """
    if connection.closed or not 0 <= time() - connection.last_used <= IDLE_SECONDS:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([connection.fileno()], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _is_idle(status: int) -> bool:
    """Return whether a session is alive, and neither runs a statement nor is in a pipeline."""
    return status not in (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN)


def is_open(connection: TimedConnection | AsyncTimedConnection) -> bool:
    """Return whether a connection of this process is alive, idle and in a transaction."""
    status = connection.info.transaction_status
    open_ = status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)
    return open_ and not connection.busy and connection.pid == os.getpid()


def is_reusable(connection: TimedConnection | AsyncTimedConnection) -> bool:
    """Return whether a connection has no open transaction or pipeline, and is not busy.

    After an interrupt, psycopg may still count one although the session is idle.
    """
    return (
        connection.pgconn.transaction_status == TransactionStatus.IDLE
        and connection.pgconn.pipeline_status == PipelineStatus.OFF
        and not connection.busy
        and not cast("Any", connection)._num_transactions  # noqa: SLF001
    )


def discard(connection: TimedConnection | AsyncTimedConnection) -> None:
    """Close a connection; if a statement is running, only shut down its socket.

    A task may be waiting for that statement. The shutdown ends its wait, and the descriptor is kept
    until it drops the connection, so that no other connection gets the same one meanwhile.
    """
    if connection.pid != os.getpid():
        return
    pgconn = connection.pgconn
    if pgconn.transaction_status != TransactionStatus.ACTIVE and not connection.busy:
        pgconn.finish()
        return
    with (
        suppress(Error, OSError),  # the thread that cancels the statement may have closed it
        socket.fromfd(pgconn.socket, socket.AF_INET, socket.SOCK_STREAM) as copy,
    ):
        copy.shutdown(socket.SHUT_RDWR)


# --- COPY

# Rows per batch: enough for vectorised decoding, few enough for the processor's cache.
ROWS = 1000
BYTES = 1 << 20

# The first message contains the header and the first row; the last one only the trailer.
SIGNATURE = b"PGCOPY\n\xff\r\n\0"
HEADER = 19
TRAILER = b"\xff\xff"

PLACEHOLDER = re.compile(r"\$([0-9]+)")


def copy_text(
    statement: Statement, schema: str | None, connection: Connection | AsyncConnection
) -> bytes:
    """Return the text of a statement's binary COPY, with its parameters as literals.

    The statement is split at its placeholders, so none is replaced inside a parameter.
    """
    parts = PLACEHOLDER.split(statement.sql)
    parts[::2] = [qualified(cast("LiteralString", text), schema) for text in parts[::2]]
    values = statement.parameters or ()
    adaptation = Adaptation(connection)
    parts[1::2] = [Literal(values[int(number) - 1]).as_bytes(adaptation) for number in parts[1::2]]
    return b"COPY (%b) TO STDOUT (FORMAT BINARY)" % b"".join(cast("list[bytes]", parts))


def leave_to_parent(copy: Copy | AsyncCopy) -> None:
    """In a forked process, let the end of a COPY cancel nothing: it is that of the parent."""
    if cast("TimedConnection", copy.connection).pid != os.getpid():
        cast("Any", copy)._pgconn = PGconn.connect_start(b"host=/")  # noqa: SLF001


def receive_rows(copy: Copy | AsyncCopy) -> PQGen[Rows | None]:
    """Receive a batch of rows, or None at the end.

    psycopg reads each row separately into a Python object, which takes twice as long.
    """
    pgconn = copy.connection.pgconn
    if pgconn.transaction_status in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
        return None  # the previous batch was the last
    data, sizes = bytearray(), array("q")
    while len(sizes) < ROWS and len(data) < BYTES:
        size, row = pgconn.get_copy_data(1)
        if size > 0:
            data += row
            sizes.append(size)
        elif size == 0:
            while not (yield Wait.R):
                pass
            pgconn.consume_input()
        else:
            result, *_ = yield from fetch_many(pgconn)
            if result.status != ExecStatus.COMMAND_OK:
                raise error_from_result(result, encoding=copy.connection.info.encoding)
            break
    if data.startswith(SIGNATURE):
        del data[:HEADER]
        sizes[0] -= HEADER
    if data.endswith(TRAILER) and sizes[-1] == len(TRAILER):
        del data[-sizes.pop() :]
    return Rows(data, sizes) if sizes else None
