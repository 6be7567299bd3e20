"""Arrow batches as one DataFrame, or as several, in little more memory than it takes."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import call
from typing import TYPE_CHECKING, Any, LiteralString

import numpy as np
import pandas as pd

from draive_pg.frames.arrow import SYSTEM, pa
from draive_pg.frames.decoding import ARROW
from draive_pg.frames.frame import Kind
from draive_pg.frames.query import Query
from draive_pg.operations.copy import Rows

if TYPE_CHECKING:
    from pandas import DataFrame, Series

__all__ = ("Chunks", "Part", "Tables", "Whole", "frame", "part", "schema")

# Columns of some rows, as Arrow arrays, and documents as an array of objects.
type Part = dict[str, Any]

NESTED = re.compile(r"[\[{]")

# Rows that are kept as one piece: each piece costs time later, and joining them costs memory now.
PIECE = 1 << 16


class Whole:
    """Collects all rows of a query as one DataFrame."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._decoder = query.decoder()
        self._batches: list[Any] = []
        self._rows = 0
        self._parts: list[Part] = []

    def take(self, rows: Rows) -> Sequence["DataFrame"]:
        batch = self._decoder.decode(rows)
        self._batches.append(batch)
        self._rows += batch.num_rows
        if self._rows >= PIECE:
            self._settle()
        return ()

    def finish(self) -> Sequence["DataFrame"]:
        self._settle()
        return (frame(self._query.columns, self._parts),)

    def _settle(self) -> None:
        if self._batches:
            joined = pa.Table.from_batches(self._batches).combine_chunks(SYSTEM).to_batches()
            self._parts += [part(self._query.columns, batch) for batch in joined]
        self._batches, self._rows = [], 0


class Chunks:
    """Collects the rows of a query as DataFrames of so many rows; the last may have fewer."""

    def __init__(self, query: Query, rows: int) -> None:
        self._columns = query.columns
        self._tables = Tables(query, rows)

    def take(self, rows: Rows) -> Sequence["DataFrame"]:
        return [self._framed(table) for table in self._tables.take(rows)]

    def finish(self) -> Sequence["DataFrame"]:
        return [self._framed(table) for table in self._tables.finish()]

    def _framed(self, table: Any) -> "DataFrame":
        parts = [part(self._columns, batch) for batch in table.combine_chunks().to_batches()]
        return frame(self._columns, parts)


class Tables:
    """Collects the rows of a query as ``pyarrow.Table`` of so many rows, at least one."""

    def __init__(self, query: Query, rows: int) -> None:
        self._schema = schema(query.columns)
        self._decoder = query.decoder()
        self._size = rows
        self._batches: list[Any] = []
        self._rows = 0
        self._given = False

    def take(self, rows: Rows) -> Sequence[Any]:
        batch = self._decoder.decode(rows).select(self._schema.names)
        self._batches.append(batch)
        self._rows += batch.num_rows
        complete: list[Any] = []
        while self._rows >= self._size:
            table = self._table()
            complete.append(table.slice(0, self._size))
            rest = table.slice(self._size)
            self._batches, self._rows = rest.to_batches(), rest.num_rows
        self._given |= bool(complete)
        return complete

    def finish(self) -> Sequence[Any]:
        return () if self._given and not self._rows else (self._table(),)

    def _table(self) -> Any:
        return pa.Table.from_batches(self._batches, self._schema)


def schema(columns: Mapping[LiteralString, Kind]) -> Any:
    """Return the ``pyarrow.Schema`` of columns."""
    return pa.schema([(name, ARROW[kind]) for name, kind in columns.items()])


def part(columns: Mapping[LiteralString, Kind], batch: Any) -> Part:
    """Return the part of columns that a ``pyarrow.RecordBatch`` is."""
    return {
        name: _documents(batch[name]) if kind == "json" else batch[name]
        for name, kind in columns.items()
    }


def frame(columns: Mapping[LiteralString, Kind], parts: Sequence[Part]) -> "DataFrame":
    """Return the DataFrame of columns in parts, which are used up."""
    return pd.DataFrame(
        {name: _series(kind, [part.pop(name) for part in parts]) for name, kind in columns.items()},
        copy=False,
    )


def _series(kind: Kind, pieces: Sequence[Any]) -> "Series[Any]":
    if kind == "json":
        return pd.Series(np.concatenate([np.empty(0, object), *pieces]))
    column = pa.chunked_array(pieces, ARROW[kind])
    match kind:
        case "text":
            return pd.Series(pd.array(column, dtype="str"))
        case "time":
            values = column.cast(pa.timestamp("us")).to_numpy()
            return pd.Series(pd.DatetimeIndex(values).tz_localize("UTC"))
        case _:
            return pd.Series(column.to_numpy())


def _documents(texts: Any) -> "np.ndarray[Any, Any]":
    """Return the documents of JSON texts: each text is parsed once, each row has its own copy."""
    encoded = texts.dictionary_encode()
    copying = [_copying(text) for text in encoded.dictionary.to_pylist()]
    missing = len(copying)
    copying.append(lambda: None)
    each = np.array(copying, object)[encoded.indices.fill_null(missing)]
    # Not by way of a list, which would be searched for garbage again and again.
    return np.fromiter(map(call, each), object, len(each))


def _copying(text: str) -> Callable[[], Any]:
    """Return what returns a document of its own at each call, or text that Python cannot hold."""
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return lambda: text
    if text[0] not in "[{":
        return lambda: document
    flat = not NESTED.search(text, 1)  # a bracket in a text only costs time
    return document.copy if flat else partial(json.loads, text)
