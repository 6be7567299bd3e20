"""Requests that read many rows by a binary COPY, without a Python object per value."""

from collections.abc import Buffer, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from draive_pg.operations.operation import Fallback, Request, Statement


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a binary COPY, as PostgreSQL sent them.

    Attributes
    ----------
    data : Buffer
        The rows, one after the other.
    sizes : Buffer
        The size of each row in bytes, as 64-bit integers.
    """

    data: Buffer
    sizes: Buffer

    def __len__(self) -> int:
        return memoryview(self.sizes).nbytes // 8


class Collector[T](Protocol):
    """Converts the rows of a COPY as they arrive; pure, except for writing to its own file."""

    def take(self, rows: Rows) -> Sequence[T]:
        """Add rows, and return the results that they complete."""
        ...

    def finish(self) -> Sequence[T]:
        """Return the remaining results, after the last rows."""
        ...


@dataclass(frozen=True, slots=True)
class Copy[T](Request[T]):
    """A request that reads the rows of a statement by a binary COPY.

    Attributes
    ----------
    name : str
        Action and subject for error messages, as in `Operation`.
    statement : Statement
        A query. Its parameters are sent as literals, because COPY takes no parameters.
    collect : callable
        Return a context manager for a new collector; called again if the COPY is retried after a
        lost connection. Leaving the block releases the resources of the collector.
    fallback : Fallback | None
        For a database without the tables of draive_pg, as in `Operation`.
    """

    name: str
    statement: Statement
    collect: Callable[[], AbstractContextManager[Collector[T]]]
    fallback: Fallback | None = None
