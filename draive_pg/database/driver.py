"""Extensions of psycopg: a timeout per call, pipelines for poolers, and COPY rows in bulk.

This is the only module that uses private interfaces of psycopg. On import, it checks them.
"""

import re
import select
import sys
from array import array
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, suppress
from inspect import signature
from time import monotonic
from types import TracebackType
from typing import Any, LiteralString, cast, override

import psycopg
from psycopg import (
    AsyncConnection,
    AsyncCopy,
    AsyncPipeline,
    AsyncRawCursor,
    BaseConnection,
    Connection,
    Copy,
    Error,
    IsolationLevel,
    OperationalError,
    Pipeline,
    RawCursor,
)
from psycopg.abc import PQGen
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus
from psycopg.sql import Literal

from draive_pg.operations.copy import Rows
from draive_pg.operations.operation import Statement, qualified

try:
    from psycopg.errors import (
        _WaitTimeout,  # pyright: ignore[reportPrivateUsage]
        error_from_result,
    )
    from psycopg.generators import fetch_many, send
    from psycopg.waiting import Wait

    for connection_class in (Connection, AsyncConnection):
        if "timeout" not in signature(connection_class.wait).parameters:
            raise ImportError(f"{connection_class.__name__}.wait has no parameter timeout")
    if "_num_transactions" not in BaseConnection.__init__.__code__.co_names:
        raise ImportError("BaseConnection has no attribute _num_transactions")
    for name in ("_communicate_gen", "_enqueue_sync", "_exit_gen", "_fetch_gen"):
        if not hasattr(Pipeline, name):
            raise ImportError(f"Pipeline has no method {name}")
except ImportError as error:
    raise ImportError(
        f"draive_pg needs psycopg 3.3, found {psycopg.__version__}: {error}; "
        "pip install 'psycopg>=3.3.9,<3.4'"
    ) from None

# No prepared statements: a transaction pooler may run the next statement in another session.
OPTIONS: dict[str, Any] = {"autocommit": True, "prepare_threshold": None}

# Set explicitly: with a stricter default of the role, statements that waited for a lock would not
# see what was committed meanwhile.
READ_COMMITTED = IsolationLevel.READ_COMMITTED

CANCEL_SECONDS = 2.0  # for a cancel request, which is sent on a connection of its own
CHECK_SECONDS = 2.0  # for the answer to a liveness check

# A network can drop an idle connection without closing our end of the socket.
IDLE_SECONDS = 60.0


class NoAnswer(OperationalError):
    """The server did not answer within the timeout of the call."""


class TimedConnection(Connection):
    """A connection that is closed when the server does not answer within a timeout.

    Attributes
    ----------
    call_timeout : float | None
        Seconds to wait for each answer; None: no limit.
    last_used : float
        Monotonic time when it was returned to the pool.
    lease : Any
        The pool's lease while the connection is in use; see `pool._Lease`.
    """

    call_timeout: float | None = None
    last_used: float = 0.0
    lease: Any = None

    @classmethod
    def open(cls, conninfo: str, call_timeout: float | None) -> "TimedConnection":
        """Connect."""
        connection = cls.connect(conninfo, cursor_factory=cast("Any", RawCursor), **OPTIONS)
        connection.call_timeout, connection.last_used = call_timeout, monotonic()
        connection.isolation_level = READ_COMMITTED
        return connection

    @override
    def wait[T](self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.call_timeout)
        except _WaitTimeout:
            with suppress(Error):
                self.cancel_safe(timeout=CANCEL_SECONDS)
            self.close()
            raise _no_answer(self.call_timeout) from None

    def usable(self) -> bool:
        """Return whether the connection is alive; ask the server only if that is in doubt."""
        if not _in_doubt(self):
            return True
        self.call_timeout, call_timeout = CHECK_SECONDS, self.call_timeout
        try:
            self.execute("")
        except Error:
            return False
        finally:
            self.call_timeout = call_timeout
        return True

    def __del__(self, *_: object) -> None:
        """Suppress psycopg's warning about unclosed connections: the pool owns this one."""


class AsyncTimedConnection(AsyncConnection):
    """Async twin of `TimedConnection`."""

    call_timeout: float | None = None
    last_used: float = 0.0
    lease: Any = None

    @classmethod
    async def open(cls, conninfo: str, call_timeout: float | None) -> "AsyncTimedConnection":
        """Async twin of `TimedConnection.open`."""
        factory = cast("Any", AsyncRawCursor)
        connection = await cls.connect(conninfo, cursor_factory=factory, **OPTIONS)
        connection.call_timeout, connection.last_used = call_timeout, monotonic()
        return connection

    @override
    async def wait[T](
        self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None
    ) -> T:
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, self.call_timeout)
        except _WaitTimeout:
            with suppress(Error):
                await self.cancel_safe(timeout=CANCEL_SECONDS)
            await self.close()
            raise _no_answer(self.call_timeout) from None

    async def usable(self) -> bool:
        """Async twin of `TimedConnection.usable`."""
        if not _in_doubt(self):
            return True
        self.call_timeout, call_timeout = CHECK_SECONDS, self.call_timeout
        try:
            await self.execute("")
        except Error:
            return False
        finally:
            self.call_timeout = call_timeout
        return True

    def __del__(self, *_: object) -> None:
        """Suppress psycopg's warning about unclosed connections: the pool owns this one."""


def _in_doubt(connection: TimedConnection | AsyncTimedConnection) -> bool:
    """Return whether the socket is readable (input or end of file), or was idle for long.

    Most calls therefore need no round trip for the liveness check.
    """
    if connection.closed or monotonic() - connection.last_used > IDLE_SECONDS:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([connection.fileno()], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _no_answer(timeout: float | None) -> NoAnswer:
    return NoAnswer(f"no answer from the server within the timeout of {timeout:g} s")


def is_reusable(connection: Connection | AsyncConnection) -> bool:
    """Return whether a connection has no open transaction or pipeline.

    After an interrupt, psycopg may still count one although the session is idle.
    """
    return (
        connection.info.transaction_status == TransactionStatus.IDLE
        and connection.pgconn.pipeline_status == PipelineStatus.OFF
        and not cast("Any", connection)._num_transactions  # noqa: SLF001
    )


# --- Pipelines


def pipeline(connection: Connection) -> AbstractContextManager[object]:
    """Return a block whose statements are sent, and answered, in one round trip.

    psycopg ends a pipeline with Sync and Flush. The Flush comes after the transaction, so a
    transaction pooler would assign a server connection to the idle client until its next call.
    This pipeline sends no Flush.
    """
    cast("Any", connection)._pipeline = _Pipeline(connection)  # noqa: SLF001 - used by `pipeline`
    return connection.pipeline()


def pipeline_async(connection: AsyncConnection) -> AbstractAsyncContextManager[object]:
    """Async twin of `pipeline`."""
    cast("Any", connection)._pipeline = _AsyncPipeline(connection)  # noqa: SLF001
    return connection.pipeline()


class _Pipeline(Pipeline):
    first_error: Error | None = None

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        outer = sys.exception()
        try:
            super().__exit__(None, None, None)  # given the error, it logs its own as a warning
        except Error as failed:
            interrupt = failed.__context__
            if error is None and isinstance(interrupt, KeyboardInterrupt) and interrupt != outer:
                raise interrupt from None  # it came while the pipeline ended
            if error is None:
                raise

    def _process_results(self, queued: Any, results: Any) -> None:
        with _keep_first_error(self):
            super()._process_results(queued, results)

    def _exit_gen(self) -> Generator[Any, Any]:
        return _end_pipeline(self)


class _AsyncPipeline(AsyncPipeline):
    first_error: Error | None = None

    @override
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(None, None, None)
        except Error:
            if error is None:
                raise

    def _process_results(self, queued: Any, results: Any) -> None:
        with _keep_first_error(self):
            super()._process_results(queued, results)

    def _exit_gen(self) -> Generator[Any, Any]:
        return _end_pipeline(self)


@contextmanager
def _keep_first_error(pipeline: Any) -> Generator[None]:
    try:
        yield
    except Error as error:
        pipeline.first_error = pipeline.first_error or error
        raise


def _end_pipeline(pipeline: Any) -> Generator[Any, Any]:
    try:
        try:
            pipeline._enqueue_sync()  # noqa: SLF001 - of the base class of both
            yield from pipeline._communicate_gen()  # noqa: SLF001
        finally:
            # If a statement failed before later ones were sent: send them, and read all results.
            yield from send(pipeline.pgconn)
            yield from pipeline._fetch_gen(flush=False)  # noqa: SLF001
    except OperationalError:
        # A server that terminates a session sends the reason before it closes the connection.
        if pipeline.first_error is not None:
            raise pipeline.first_error from None
        raise


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
    parts[1::2] = [Literal(values[int(number) - 1]).as_bytes(connection) for number in parts[1::2]]
    return b"COPY (%b) TO STDOUT (FORMAT BINARY)" % b"".join(cast("list[bytes]", parts))


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
