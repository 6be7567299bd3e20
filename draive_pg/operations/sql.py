"""A query of the caller, run in a transaction that cannot write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

from draive_pg.codec.validation import check_text
from draive_pg.operations.operation import Request

# Results do not depend on settings of the server, the database or the role.
READ_ONLY: LiteralString = """
SELECT
    set_config('transaction_read_only', 'on', TRUE),
    set_config('DateStyle', 'ISO', TRUE),
    set_config('IntervalStyle', 'postgres', TRUE),
    set_config('TimeZone', 'UTC', TRUE),
    set_config('extra_float_digits', '1', TRUE)
"""

ALWAYS = "draive_pg_always"


class Column(NamedTuple):
    """A column of a result."""

    name: str
    type: int  # OID


@dataclass(frozen=True, slots=True)
class Sql[T](Request[T]):
    """A query with parameters in psycopg's style.

    Attributes
    ----------
    text : str
        The query, with a parameter more than the caller's: PostgreSQL takes only one statement if
        there are parameters.
    parameters : Sequence[object] | Mapping[str, object]
        Its parameters.
    collect : callable
        Convert the columns and the rows to the result.
    """

    text: str
    parameters: Sequence[object] | Mapping[str, object]
    collect: Callable[[Sequence[Column], Sequence[Sequence[Any]]], T]


def sql[T](
    query: str,
    parameters: Sequence[object] | Mapping[str, object] | None,
    collect: Callable[[Sequence[Column], Sequence[Sequence[Any]]], T],
) -> Sql[T]:
    """Return the request for a query.

    Raises
    ------
    TypeError, ValueError
        If the query is no text, or blank, or the parameters are a text.
    """
    text = check_text(query, "query").strip().rstrip(";")
    if not text:
        raise ValueError("query must not be blank")
    if isinstance(parameters, str | bytes):
        raise TypeError("parameters must be a sequence or a mapping, not a text")
    if parameters is None:
        text, parameters = text.replace("%", "%%"), ()
    if isinstance(parameters, Mapping):
        always, parameters = f"%({ALWAYS})s", {**parameters, ALWAYS: True}
    else:
        always, parameters = "%s", (*parameters, True)
    return Sql(f"SELECT * FROM (\n{text}\n) AS query WHERE {always}::BOOLEAN", parameters, collect)
