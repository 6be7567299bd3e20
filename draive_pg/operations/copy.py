"""What is read by COPY, as values: rows that would be slow, or too many, as Python objects."""

from collections.abc import Buffer, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from draive_pg.operations.operation import Fallback, Request, Statement

__all__ = ("Collector", "Copy", "Rows")


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a binary COPY, as PostgreSQL sent them.

    Attributes
    ----------
    data : Buffer
        The rows, one after the other.
    sizes : Buffer
        The bytes of each, as 64-bit integers.
    """

    data: Buffer
    sizes: Buffer


class Collector[T](Protocol):
    """Makes something of the rows of a COPY as they come; pure, or writing to a file of its own."""

    def take(self, rows: Rows) -> Sequence[T]:
        """Take some more rows, and return what is complete now."""
        ...

    def finish(self) -> Sequence[T]:
        """Return what remains, when all rows were taken."""
        ...


@dataclass(frozen=True, slots=True)
class Copy[T](Request[T]):
    """One thing to read, by a binary COPY of the rows of a statement.

    Attributes
    ----------
    name : str
        What is read, as errors say it.
    statement : Statement
        A query; its parameters become literals, for COPY takes none.
    collect : callable
        Makes the collector of its rows, anew when a lost connection makes it begin again; what it
        holds is let go of when its block is left, finished or not.
    fallback : Fallback | None
        For a database without the tables of draive_pg, as in `Operation`.
    """

    name: str
    statement: Statement
    collect: Callable[[], AbstractContextManager[Collector[T]]]
    fallback: Fallback | None = None
