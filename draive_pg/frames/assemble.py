"""Collectors of ordered rows: one DataFrame, several, or Arrow tables.

The peak memory is little more than that of the result.
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from operator import call
from typing import TYPE_CHECKING, Any

from draive_pg.dataframes import np, pa, pd
from draive_pg.display.frame import with_display
from draive_pg.frames.arrow import ARROW_TYPES, SYSTEM_MEMORY, native, schema, texts
from draive_pg.frames.frame import Columns, ColumnType
from draive_pg.frames.query import Backend, FrameQuery
from draive_pg.operations.copy import Rows
from draive_pg.uninterrupted_import import import_uninterrupted

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# The columns of some rows: Arrow arrays, and for JSON a numpy array of Python objects.
type Arrays = dict[str, Any]

NESTED = re.compile(r"[\[{]")

# Rows to join into one array: more arrays cost time in every later step, joining costs memory now.
JOINED_ROWS = 1 << 16


class Whole:
    """Collect all rows of a query as one DataFrame."""

    def __init__(self, query: FrameQuery) -> None:
        self._query = query
        self._decoder = query.decoder()
        self._batches: list[Any] = []
        self._rows = 0
        self._parts: list[Arrays] = []

    def take(self, rows: Rows) -> Sequence["DataFrame"]:
        batch = self._decoder.decode(rows)
        self._batches.append(batch)
        self._rows += batch.num_rows
        if self._rows >= JOINED_ROWS:
            self._join()
        return ()

    def finish(self) -> Sequence["DataFrame"]:
        self._join()
        return (data_frame(self._query.columns, self._parts),)

    def _join(self) -> None:
        if self._batches:
            table = pa.Table.from_batches(self._batches).combine_chunks(SYSTEM_MEMORY)
            self._parts += [arrays(self._query.columns, batch) for batch in table.to_batches()]
        self._batches, self._rows = [], 0


class Tables[T]:
    """Collect the rows of a query in tables of a fixed size; the last may be smaller.

    Parameters
    ----------
    query : FrameQuery
        The query.
    rows : int
        The size.
    convert : callable
        Convert each ``pyarrow.Table`` to a result. There is at least one, even without rows.
    """

    def __init__(self, query: FrameQuery, rows: int, convert: Callable[[Any], T]) -> None:
        self._schema = schema(query.columns)
        self._decoder = query.decoder()
        self._size = rows
        self._convert = convert
        self._batches: list[Any] = []
        self._rows = 0
        self._returned = False

    def take(self, rows: Rows) -> Sequence[T]:
        batch = self._decoder.decode(rows).select(self._schema.names)
        self._batches.append(batch)
        self._rows += batch.num_rows
        complete: list[T] = []
        while self._rows >= self._size:
            table = self._table()
            complete.append(self._convert(table.slice(0, self._size)))
            rest = table.slice(self._size)
            self._batches, self._rows = rest.to_batches(), rest.num_rows
        self._returned |= bool(complete)
        return complete

    def finish(self) -> Sequence[T]:
        return () if self._returned and not self._rows else (self._convert(self._table()),)

    def _table(self) -> Any:
        return pa.Table.from_batches(self._batches, self._schema)


def converter(columns: Columns, backend: Backend) -> Callable[[Any], Any]:
    """Return a function that converts a ``pyarrow.Table`` to the type of a backend.

    Raises
    ------
    ImportError
        If polars is missing.
    """
    match backend:
        case "pandas":
            return partial(_to_pandas, columns)
        case "arrow":
            return partial(native, columns)
        case "polars":
            polars = _polars()
            return lambda table: polars.from_arrow(native(columns, table))


def _to_pandas(columns: Columns, table: Any) -> "DataFrame":
    batches = table.combine_chunks().to_batches()
    return data_frame(columns, [arrays(columns, batch) for batch in batches])


def _polars() -> Any:
    import_uninterrupted("polars")
    try:
        import polars
    except ImportError as error:
        raise ImportError(
            "backend='polars' needs polars: pip install 'draive_pg[polars]'",
            name="polars",
        ) from error
    return polars


def arrays(columns: Columns, batch: Any) -> Arrays:
    """Return the columns of a ``pyarrow.RecordBatch``, with JSON parsed."""
    parsers = {"json": _documents, "texts": _texts}
    return {
        name: parsers[kind](batch[name]) if kind in parsers else batch[name]
        for name, kind in columns.items()
    }


def data_frame(columns: Columns, parts: Sequence[Arrays]) -> "DataFrame":
    """Return a DataFrame of parts, emptying each part to free its memory."""
    series = {
        name: _series(kind, [part.pop(name) for part in parts]) for name, kind in columns.items()
    }
    return with_display(pd.DataFrame(series, copy=False))


def _series(kind: ColumnType, parts: Sequence[Any]) -> "Series[Any]":
    if kind in ("json", "texts"):
        return pd.Series(np.concatenate([np.empty(0, object), *parts]))
    column = pa.chunked_array(parts, ARROW_TYPES[kind])
    match kind:
        case "text":
            return pd.Series(pd.array(column, dtype="str"))
        case "timestamp":
            values = column.cast(pa.timestamp("us")).to_numpy()
            return pd.Series(pd.DatetimeIndex(values).tz_localize("UTC"))
        case "index":
            values: list[int | None] = column.to_pylist()
            return pd.Series(pd.array(values, dtype="Int64"))
        case _:
            return pd.Series(column.to_numpy())


def _texts(column: Any) -> "np.ndarray[Any, Any]":
    """Return tuples of texts; equal ones are one tuple."""
    encoded = column.dictionary_encode()
    values = map(texts, encoded.dictionary.to_pylist())
    return np.fromiter(values, object, len(encoded.dictionary))[encoded.indices]


def _documents(column: Any) -> "np.ndarray[Any, Any]":
    """Return the values of JSON texts; equal texts are parsed once and copied for each row."""
    encoded = column.dictionary_encode()
    factories = [_factory(text) for text in encoded.dictionary.to_pylist()]
    missing = len(factories)
    factories.append(lambda: None)
    by_row = np.array(factories, object)[encoded.indices.fill_null(missing)]
    # No list: the garbage collector would traverse it repeatedly.
    return np.fromiter(map(call, by_row), object, len(by_row))


def _factory(text: str) -> Callable[[], Any]:
    """Return a function that returns a new document, or the text if Python cannot parse it."""
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return lambda: text
    if text[0] not in "[{":
        return lambda: document
    flat = not NESTED.search(text, 1)  # a bracket in a string only makes it slower
    return document.copy if flat else partial(json.loads, text)
