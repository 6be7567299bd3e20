"""Definition of a frame: its columns and its statements."""

from collections.abc import Mapping
from typing import Literal, LiteralString

from draive_pg.operations.operation import Fallback, Query, Statement

type Format = Literal["parquet", "csv", "jsonl"]
"""Format of an exported file."""

type PartitionBy = Literal["month", "day"] | int
"""Files of an export: one for each month or day in UTC, or one for about so many rows."""

type ColumnType = Literal[
    "text", "integer", "index", "float", "boolean", "timestamp", "texts", "json", "tid"
]
"""Type of a column: an ``index`` is an integer from 0, and may be missing; ``texts`` are several,
as a JSON array; ``tid`` is PostgreSQL's ``ctid``."""

type Columns = Mapping[LiteralString, ColumnType]

# How each kind is selected, fixed-width kinds first. These are never NULL: a missing index is -1, a
# missing float is NaN, a missing timestamp is -infinity.
SELECTED: Mapping[ColumnType, LiteralString] = {
    "integer": "{}::INT8",
    "index": "coalesce({}::INT8, -1)",
    "boolean": "{}::BOOLEAN",
    "float": "coalesce({}::FLOAT8, 'NaN')",
    "timestamp": "coalesce({}, '-infinity')",
    "tid": "{}",
    "text": "{}::TEXT",
    "texts": "{}::TEXT",
    "json": "{}::TEXT",
}

# Columns by which the client sorts unordered rows. `memory` contains the rank of the identifier in
# its low 32 bits, and the number of its bucket (see `order.Ordered`) in the high ones.
SORT_COLUMNS: Columns = {"memory": "integer", "created": "timestamp", "place": "tid"}

# Parameters that choose the rows of a part of an export: a range of identifiers, and a range of
# transactions, see `partitions`.
PART_PARAMETERS = ("first", "last", "written_since", "written_before")


class Source:
    """The statement of a frame, from which some columns are selected.

    Parameters
    ----------
    name : str
        Name of the query.
    columns : Columns
        All columns that can be selected.
    rows : LiteralString
        SQL of the rows; its named parameters are the filters.
    """

    __slots__ = ("_query", "_select_all")

    def __init__(self, name: str, columns: Columns, rows: LiteralString) -> None:
        self._select_all = _select(columns)
        self._query = Query(name, f"{self._select_all}\nFROM ({rows}) AS frame")

    @property
    def filters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return self._query.parameters

    def statement(self, columns: Columns, filters: Mapping[str, object]) -> Statement:
        """Return the statement that selects some columns, fixed-width ones first."""
        query = self._query(**{name: filters[name] for name in self.filters})
        return query._replace(sql=query.sql.replace(self._select_all, _select(columns), 1))


class Frame:
    """Definition of one DataFrame.

    Parameters
    ----------
    name : LiteralString
        Name of the method of `Frames`.
    columns : Columns
        All columns, in order.
    rows : LiteralString
        SQL of the rows, in order. Its named parameters are the filters that the frame takes:
        those of `Filters`, such as ``:identifier``.
    lengths : Mapping[str, str]
        Columns with the number of characters of another column, by its name. The client counts
        them if it reads the other column too.
    unordered : LiteralString | None
        SQL of the same rows in any order, which is faster. It takes ``:identifier`` only, and has
        `SORT_COLUMNS` in place of ``position``: the client sorts the rows and numbers them.
    fallback : Fallback | None
        For a database without the tables of draive_pg, as in `Operation`.
    """

    __slots__ = ("columns", "fallback", "lengths", "name", "ordered", "rows", "unordered")

    def __init__(
        self,
        name: LiteralString,
        columns: Columns,
        rows: LiteralString,
        *,
        lengths: Mapping[LiteralString, LiteralString] | None = None,
        unordered: LiteralString | None = None,
        fallback: Fallback | None = None,
    ) -> None:
        self.name: LiteralString = name
        self.fallback = fallback
        self.columns = columns
        self.rows = rows
        self.lengths = lengths or {}
        self.ordered = Source(f"frames.{name}", columns, rows)
        self.unordered: Source | None = None
        if unordered is not None:
            others: Columns = {key: kind for key, kind in columns.items() if key != "position"}
            self.unordered = Source(
                f"frames.{name}_unordered", {**others, **SORT_COLUMNS}, unordered
            )

    @property
    def filters(self) -> tuple[str, ...]:
        """Names of the keyword arguments that choose rows and columns."""
        taken = (name for name in self.ordered.filters if name not in PART_PARAMETERS)
        return (*taken, "columns", "documents")


def _select(columns: Columns) -> LiteralString:
    """Return the SELECT list of columns, fixed-width ones first."""
    selected: list[LiteralString] = [
        f'    {expression.format(f'frame."{column}"')} AS "{column}"'
        for kind, expression in SELECTED.items()
        for column, own in columns.items()
        if own == kind
    ]
    return "SELECT\n" + ",\n".join(selected)
