"""Several statements in one round trip, also behind a transaction pooler.

psycopg ends a pipeline by a Sync and then a Flush. The Flush asks for nothing that the Sync did not
ask for, but it comes after the end of the transaction, so that a pooler (PgBouncer among them)
gives the idle client a server connection, and takes it from others until the client's next call.
"""

from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, cast

from psycopg import AsyncConnection, AsyncPipeline, Connection, Pipeline

__all__ = ("pipeline", "pipeline_async")


def pipeline(connection: Connection) -> AbstractContextManager[object]:
    """Return a block whose statements are sent at once, and answered at its end."""
    cast(Any, connection)._pipeline = _Pipeline(connection)  # noqa: SLF001 - taken by `pipeline`
    return connection.pipeline()


def pipeline_async(connection: AsyncConnection) -> AbstractAsyncContextManager[object]:
    """Async twin of `pipeline`."""
    cast(Any, connection)._pipeline = _AsyncPipeline(connection)  # noqa: SLF001
    return connection.pipeline()


class _Pipeline(Pipeline):
    def _exit_gen(self) -> Generator[Any, Any]:
        return self._sync_gen()


class _AsyncPipeline(AsyncPipeline):
    def _exit_gen(self) -> Generator[Any, Any]:
        return self._sync_gen()
