"""Requests to PostgreSQL as values: SQL, parameters and a pure decoder, built without I/O.

A `Request` is executed by any runner: `Database` (sync psycopg), `AsyncDatabase` (async psycopg) or
the adapters (haiway's ``Postgres`` state). Its result is the same on each of them.
"""

import re
from collections.abc import Callable, Generator, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, LiteralString, NamedTuple, cast

from psycopg.sql import Identifier

from draive_pg.errors import SchemaInvalid, StoredDataInvalid, StoredDataSkipped, warn
from draive_pg.lines.line import Line

type Row = Sequence[Any]


class Statement(NamedTuple):
    """One SQL text with ``$1`` placeholders; tables are written ``{schema}.name``.

    ``parameters`` of None mark a script: several statements in one text without parameters.
    """

    sql: LiteralString
    parameters: tuple[object, ...] | None = ()


# All queries by name; `./dev statements` writes them to schema/statements/.
QUERIES: dict[str, "Query"] = {}

# The lookbehind comes after the colon, which `re` searches for seven times as fast.
PARAMETER = re.compile(r":(?<![:\w]:)([a-z_]+)\b")


class Query:
    """A named SQL query with named parameters.

    Parameters are written ``:name`` and sent as ``$1``, ``$2``, ... in order of first appearance.

    Parameters
    ----------
    name : str
        Subject and action, ``memory.recall``: the name of its file in ``schema/statements``.
    template : LiteralString
        The SQL text.

    Examples
    --------
    >>> count = Query("example.count", "SELECT count(*) FROM {schema}.t WHERE name = :name::TEXT")
    >>> count(name="greeting")
    Statement(sql='SELECT count(*) FROM {schema}.t WHERE name = $1::TEXT', parameters=('greeting',))
    """

    __slots__ = ("name", "parameters", "sql")

    def __init__(self, name: str, template: LiteralString) -> None:
        numbers: dict[str, int] = {}

        def numbered(match: re.Match[str]) -> str:
            return f"${numbers.setdefault(match[1], len(numbers) + 1)}"

        self.name = name
        # Replacing names by numbers keeps a literal a literal, which re cannot express.
        self.sql: LiteralString = cast("LiteralString", PARAMETER.sub(numbered, template))
        self.parameters: tuple[str, ...] = tuple(numbers)
        if name in QUERIES:
            raise ValueError(f"there are two queries named {name!r}")
        QUERIES[name] = self

    def __call__(self, **values: object) -> Statement:
        """Return the statement with its parameters; all of them must be given."""
        if len(values) != len(self.parameters) or not values.keys() >= {*self.parameters}:
            raise TypeError(f"query {self.name} takes {self.parameters}, not {tuple(values)}")
        return Statement(self.sql, tuple([values[name] for name in self.parameters]))

    def __repr__(self) -> str:
        return f"Query({self.name!r}, parameters={self.parameters})"


class Key(NamedTuple):
    """A cache key.

    Attributes
    ----------
    table : str
        The table.
    subject : str | None
        The name of a document in it; None: the listing of all.
    variant : Hashable
        Distinguishes values that are read from the same rows.
    pinned : bool
        Whether it is a revision selected by number: of those there may be many.
    """

    table: str
    subject: str | None = None
    variant: Hashable = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Fallback:
    """Replacements for tables of draive_pg that a database may not have.

    Attributes
    ----------
    empty : Mapping[str, str]
        A query without rows, in parentheses, for each table; nothing to leave out the statements
        with the table.
    """

    empty: Mapping[LiteralString, LiteralString]

    def without(self, table: LiteralString) -> "Fallback":
        """Return the fallback for statements that need a table."""
        return Fallback({name: query for name, query in self.empty.items() if name != table})

    def __or__(self, other: "Fallback") -> "Fallback":
        return Fallback({**self.empty, **other.empty})

    def apply(
        self, statements: Iterable[Statement], missing: Iterable[LiteralString]
    ) -> Sequence[Statement]:
        """Return the statements with empty queries in place of the missing tables."""
        applied: list[Statement] = list(statements)
        for table in missing:
            name, empty = f"{{schema}}.{table}", self.empty[table]
            if not empty:
                applied = [each for each in applied if name not in each.sql]
            applied = [each._replace(sql=each.sql.replace(name, empty)) for each in applied]
        return applied


@dataclass(frozen=True, slots=True, eq=False)
class Relations:
    """What a statement about conversations reads and writes in the tables of a line of draive.

    Attributes
    ----------
    line : Line
        The line.
    parts : Mapping[str, str]
        SQL by the placeholder for it, such as ``{elements}``.
    """

    line: Line
    parts: Mapping[LiteralString, LiteralString]

    def apply(self, statement: Statement) -> Statement:
        """Return the statement with SQL in place of its placeholders.

        Raises
        ------
        SchemaInvalid
            If the statement writes what the line does not have.
        """
        return statement._replace(sql=_applied(statement.sql, self))


# Of `Relations`; `{schema}` is none of them.
PLACEHOLDER = re.compile(
    r"\{(?:conversations|elements|newest_elements|writes|snapshots|create_conversations"
    r"|lock_conversations|insert_elements|insert_snapshots|delete_elements|delete_snapshots|check_removal|remove_conversations"
    r"|element_tables|turns|unless_indexed|end_unless|meta|fence|located|embeddings)\}"
)


@lru_cache(maxsize=1024)
def needs_relations(sql: LiteralString) -> bool:
    """Return whether a statement has placeholders of `Relations`."""
    return PLACEHOLDER.search(sql) is not None


@lru_cache(maxsize=1024)
def _applied(sql: LiteralString, relations: Relations) -> LiteralString:
    def replacement(match: re.Match[str]) -> str:
        part = relations.parts.get(cast("LiteralString", match[0]))
        if part is None:
            raise SchemaInvalid(relations.line.refusal)
        return part

    # Replacing literals in a literal keeps it one, which re cannot express.
    return cast("LiteralString", PLACEHOLDER.sub(replacement, sql))


class Request[T]:
    """Base of everything a database can run; T is the type of the result."""

    __slots__ = ()


def _nothing(_: Sequence[Row]) -> Any:
    return None


@dataclass(slots=True)
class Operation[T](Request[T]):
    """Statements that run in one transaction and, where the driver can, in one round trip.

    Not frozen: every call builds one, and ``frozen=True`` would double the cost of that.

    Attributes
    ----------
    name : str
        Action and subject for error messages: ``load instructions 'greeting'``.
    statements : tuple of Statement
        Run in order; the rows of the last one are decoded.
    decode : callable
        Convert the rows to the result; None by default.
    invalidates : tuple of Key
        Cache keys that are stale once this has run.
    read_only : bool
        True for a read-only operation, which is retried after a lost connection.
    long : bool
        True for a read of many rows, which a replica may answer.
    fallback : Fallback | None
        Used if the database lacks the tables of draive_pg; None if the statements do not use those
        tables, or need them.
    """

    name: str
    statements: tuple[Statement, ...]
    decode: Callable[[Sequence[Row]], T] = _nothing
    invalidates: tuple[Key, ...] = ()
    read_only: bool = False
    fallback: Fallback | None = None
    long: bool = False


def read_rows[T](
    name: str,
    statement: Statement,
    decode: Callable[[Sequence[Row]], T],
    *,
    fallback: Fallback | None = None,
    long: bool = False,
) -> Operation[T]:
    """Return the read-only operation of one statement."""
    return Operation(
        name, (statement,), decode=decode, read_only=True, fallback=fallback, long=long
    )


@dataclass(slots=True)
class Cached[T](Request[T]):
    """A value that may be in the cache; the operation that reads it is built only if it is not.

    Attributes
    ----------
    key : Key | None
        Cache key of the value; None if it must not be cached.
    operation : callable
        Return the operation that reads the value, which must not be mutated.
    to_result : callable
        Convert the value to the caller's result: a copy, a rendering, or an error.
    otherwise : callable | None
        Return the request to run instead if the result is None.
    """

    key: Key | None
    operation: Callable[[], Operation[Any]]
    to_result: Callable[[Any], T] = lambda value: value
    otherwise: Callable[[], Request[T]] | None = None


@dataclass(slots=True)
class ByLine[T](Request[T]):
    """A request that differs by the line of the database.

    Attributes
    ----------
    build : callable
        Called with the line; returns the request.
    """

    build: Callable[[Line], Request[T]]


# The line of the database.
LINE = ByLine(lambda line: Operation("find the line", (), decode=lambda _: line))


@dataclass(slots=True)
class Preload[T](Request[T]):
    """An operation whose values are put into the cache, which grows to hold them.

    Its result is their number.

    Attributes
    ----------
    operation : Operation
        Reads the values by cache key.
    """

    operation: Operation[Mapping[Key, Any]]


@dataclass(slots=True)
class Call[T](Request[T]):
    """A blocking function (files, heavy decoding) that async runners call in a thread.

    Attributes
    ----------
    function : callable
        Called without arguments.
    records_commit : bool
        Whether it records that something is committed. In a transaction, which may still be rolled
        back, it is not called, and its result is None.
    """

    function: Callable[[], T]
    records_commit: bool = False


@dataclass(slots=True)
class OnReplica(Request[Any]):
    """An operation on the replica. Its result may be an error; None if there is no replica.

    Attributes
    ----------
    operation : Operation
        The operation.
    patience : float
        Seconds that it may take, connecting included.
    """

    operation: Operation[Any]
    patience: float


type Steps[T] = Generator[Request[Any], Any, T]
"""A generator of requests; each ``yield`` evaluates to the result of its request."""


class Workflow[T](Request[T]):
    """Requests that depend on the results of earlier ones.

    The generator is started at once, so that it checks its arguments when the workflow is built.

    Attributes
    ----------
    steps : generator of Request
        Sent each result in turn; its return value is the result of the workflow.
    transaction : bool
        True to run all of it in one transaction; otherwise each operation has its own.
    first : Request | None
        The first request; None if there is none.
    result : object
        The result, if there is no request.
    """

    __slots__ = ("first", "result", "steps", "transaction")

    def __init__(self, steps: Steps[T], *, transaction: bool = False) -> None:
        self.steps = steps
        self.transaction = transaction
        self.first: Request[Any] | None = None
        self.result: Any = None
        try:
            self.first = next(steps)
        except StopIteration as end:
            self.result = end.value


def workflow[**P, T](
    steps: Callable[P, Steps[T]], *, transaction: bool = False
) -> Callable[P, Workflow[T]]:
    """Decorate a generator function so that it returns a `Workflow`."""

    @wraps(steps)
    def build(*args: P.args, **kwargs: P.kwargs) -> Workflow[T]:
        return Workflow(steps(*args, **kwargs), transaction=transaction)

    return build


def transactional[**P, T](steps: Callable[P, Steps[T]]) -> Callable[P, Workflow[T]]:
    """Decorate a generator function so that it returns a `Workflow` that is one transaction."""
    return workflow(steps, transaction=True)


LOCK = Query("lock.one", "SELECT pg_advisory_xact_lock(hashtextextended(:subject::TEXT, 0))")

LOCK_ALL = Query(
    "lock.several",
    """
SELECT pg_advisory_xact_lock(key)
FROM (
    SELECT DISTINCT hashtextextended(subject, 0) AS key
    FROM unnest(:subjects::TEXT[]) AS subject
    ORDER BY key
) AS ordered
""",
)


def advisory_lock(subject: str) -> Statement:
    """Take a transaction-level advisory lock on a subject.

    Later statements see everything that earlier holders of the lock committed, so the order of
    rows is total. A transaction-level lock also works with a transaction pooler.
    """
    return LOCK(subject=subject)


def advisory_locks(subjects: Iterable[str]) -> Statement:
    """Take several advisory locks in sorted order, which prevents deadlocks."""
    return LOCK_ALL(subjects=list(subjects))


def next_time(last: LiteralString) -> LiteralString:
    """Return SQL of the time of a new row, later than ``last`` even if the clock stepped back."""
    return f"greatest(clock_timestamp(), {last} + INTERVAL '1 microsecond')"


@lru_cache(maxsize=1024)
def qualified(sql: LiteralString, schema: str | None) -> bytes:
    """Return the SQL text for the tables of a schema, or of the search path for None."""
    if schema is None:
        return sql.replace("{schema}.", "").encode()
    return sql.replace("{schema}", Identifier(schema).as_string()).encode()


def decode_rows[R, T](
    rows: Iterable[R], decode: Callable[[R], T], *, skip_invalid: bool
) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """Decode rows, and return the values and the errors of invalid rows.

    Raises
    ------
    StoredDataInvalid
        If a row is invalid, unless ``skip_invalid``.
    """
    values: list[T] = []
    skipped: list[str] = []
    for row in rows:
        try:
            values.append(decode(row))
        except StoredDataInvalid as error:
            if not skip_invalid:
                raise
            skipped.append(str(error))
    return tuple(values), tuple(skipped)


def warn_skipped(reasons: Iterable[str]) -> None:
    """Issue a `StoredDataSkipped` warning for each skipped row."""
    for reason in reasons:
        warn(f"skipped: {reason}", StoredDataSkipped)
