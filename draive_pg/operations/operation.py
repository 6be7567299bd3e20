"""What is asked of PostgreSQL, as values: SQL, parameters, and a pure decoding of the answer.

An `Operation` is built without I/O, run by any executor (sync psycopg, async psycopg, haiway's
``Postgres`` state), and means the same through each of them.
"""

from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, LiteralString, NamedTuple

from psycopg.sql import Identifier

__all__ = ("Key", "Operation", "Plan", "Row", "Statement", "lock", "lock_all", "qualified")

LOCK_ALL: LiteralString = """
SELECT pg_advisory_xact_lock(key)
FROM (
    SELECT DISTINCT hashtextextended(subject, 0) AS key
    FROM unnest($1::TEXT[]) AS subject
    ORDER BY key
) AS ordered
"""

type Row = Sequence[Any]


class Statement(NamedTuple):
    """One SQL text with ``$1`` placeholders; tables are written ``{schema}.name``.

    ``parameters`` of None mark a script: several statements in one text, which takes none.
    """

    sql: LiteralString
    parameters: tuple[object, ...] | None = ()


class Key(NamedTuple):
    """Where the cache keeps a value: a table, the row's subject (None: its listing), a variant."""

    table: str
    subject: str | None = None
    variant: Hashable = None


@dataclass(slots=True)
class Operation[T]:
    """One thing to do, in one transaction and, where the driver can, in one round trip.

    It is not frozen, for one is made for each call, also of what the cache has, and freezing it
    would double what that takes; nobody changes one.

    Attributes
    ----------
    name : str
        What is done and of what, as errors say it: ``load instructions 'greeting'``.
    statements : tuple of Statement
        Run in order; the rows of the last are decoded.
    decode : callable
        Makes the value of those rows, None if not given. Pure; what it makes may be cached, so
        nobody mutates it.
    present : callable
        Makes what the caller gets of the value: a copy, a rendering, an error for want of it.
    key : Key | None
        Where the value may be cached; None for what must be asked anew.
    evicts : tuple of Key
        The tables and subjects whose cached values are stale once this has run.
    reads : bool
        Whether it changes nothing, so that it can be repeated when its connection was lost.
    bare : tuple of Statement | None
        What to run in place of the statements where there are only the seed's tables and none of
        our own; None for what is the same there, or cannot be done.
    """

    name: str
    statements: tuple[Statement, ...]
    decode: Callable[[Sequence[Row]], Any] = lambda _: None
    present: Callable[[Any], T] = lambda value: value
    key: Key | None = None
    evicts: tuple[Key, ...] = ()
    reads: bool = False
    bare: tuple[Statement, ...] | None = None


type Plan[T] = Generator[Operation[Any], Any, T]
"""Operations of which later ones depend on what earlier ones returned; each is sent its answer."""


def lock(subject: str) -> Statement:
    """Make the writers of one subject take turns until each one's transaction ends.

    Each later statement then sees all that the turns before it committed, which is what makes the
    order of rows total. It is the transaction's lock, so it holds behind a transaction pooler too.
    """
    return Statement("SELECT pg_advisory_xact_lock(hashtextextended($1::TEXT, 0))", (subject,))


def lock_all(subjects: Iterable[str]) -> Statement:
    """Do so with several subjects, in one order for all, so that no two wait for each other."""
    return Statement(LOCK_ALL, (list(subjects),))


@lru_cache(maxsize=1024)
def qualified(sql: LiteralString, schema: str | None) -> bytes:
    """Return the SQL text for the tables of a schema, or of the search path for None."""
    if schema is None:
        return sql.replace("{schema}.", "").encode()
    return sql.replace("{schema}", Identifier(schema).as_string()).encode()
