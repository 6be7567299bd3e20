"""Several statements in one round trip, also behind a transaction pooler.

psycopg ends a pipeline by a Sync and then a Flush. The Flush asks for nothing that the Sync did not
ask for, but it comes after the end of the transaction, so that a pooler (PgBouncer among them)
gives the idle client a server connection, and takes it from others until the client's next call.
"""

from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from typing import Any, cast

from psycopg import AsyncConnection, AsyncPipeline, Connection, Error, OperationalError, Pipeline
from psycopg.generators import send

__all__ = ("pipeline", "pipeline_async")


def pipeline(connection: Connection) -> AbstractContextManager[object]:
    """Return a block whose statements are sent at once, and answered at its end."""
    cast("Any", connection)._pipeline = _Pipeline(connection)  # noqa: SLF001 - taken by `pipeline`
    return connection.pipeline()


def pipeline_async(connection: AsyncConnection) -> AbstractAsyncContextManager[object]:
    """Async twin of `pipeline`."""
    cast("Any", connection)._pipeline = _AsyncPipeline(connection)  # noqa: SLF001
    return connection.pipeline()


class _Pipeline(Pipeline):
    first_error: Error | None = None

    def _process_results(self, queued: Any, results: Any) -> None:
        with _noted(self):
            super()._process_results(queued, results)

    def _exit_gen(self) -> Generator[Any, Any]:
        return _finished(self)


class _AsyncPipeline(AsyncPipeline):
    first_error: Error | None = None

    def _process_results(self, queued: Any, results: Any) -> None:
        with _noted(self):
            super()._process_results(queued, results)

    def _exit_gen(self) -> Generator[Any, Any]:
        return _finished(self)


@contextmanager
def _noted(pipeline: Any) -> Generator[None]:
    try:
        yield
    except Error as error:
        pipeline.first_error = pipeline.first_error or error
        raise


def _finished(pipeline: Any) -> Generator[Any, Any]:
    try:
        try:
            pipeline._enqueue_sync()  # noqa: SLF001 - of the base class of both
            yield from pipeline._communicate_gen()  # noqa: SLF001
        finally:
            # Much is sent little by little, and a statement can have failed before the end; what
            # follows it must be sent and read even so.
            yield from send(pipeline.pgconn)
            yield from pipeline._fetch_gen(flush=False)  # noqa: SLF001
    except OperationalError:
        # A server that ends a session says why, and then closes the connection.
        if pipeline.first_error is not None:
            raise pipeline.first_error from None
        raise
