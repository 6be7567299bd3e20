"""Decoding of binary COPY rows.

Rows become Arrow arrays without a Python object per value. The fixed-width columns come first in
each row and are never NULL, so they have the same offset in every row; the texts follow.
"""

import json
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, LiteralString

from draive_pg.dataframes import np, pa, parquet, pc
from draive_pg.frames.frame import Columns, ColumnType
from draive_pg.operations.copy import Rows

# Arrow's default allocators reserve 50 % more memory for arrays of a few hundred kilobytes.
SYSTEM_MEMORY: Any = pa.system_memory_pool()

type Vector = np.ndarray[Any, Any]

# PostgreSQL counts microseconds from 2000; its infinities are the ends of the range.
EPOCH_2000 = 946_684_800_000_000
INFINITIES = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max])

WIRE_TYPES: Mapping[ColumnType, np.dtype[Any]] = {
    "integer": np.dtype(">i8"),
    "index": np.dtype(">i8"),
    "float": np.dtype(">f8"),
    "boolean": np.dtype("?"),
    "timestamp": np.dtype(">i8"),
    "tid": np.dtype([("block", ">u4"), ("offset", ">u2")]),
}

# Columns of type `tid` are used only for sorting.
ARROW_TYPES: Mapping[ColumnType, Any] = {
    "text": pa.large_string(),
    "texts": pa.large_string(),
    "json": pa.large_string(),
    "integer": pa.int64(),
    "index": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
}


LISTS = pa.list_(pa.string())


def schema(columns: Columns) -> Any:
    """Return the ``pyarrow.Schema`` of columns."""
    return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])


def native(columns: Columns, table: Any) -> Any:
    """Return a ``pyarrow.Table`` with lists in place of their JSON text."""
    for number, (name, kind) in enumerate(columns.items()):
        if kind == "texts":
            encoded = table[name].combine_chunks().dictionary_encode()
            lists = pa.array([*map(texts, encoded.dictionary.to_pylist())], LISTS)
            table = table.set_column(number, name, lists.take(encoded.indices))
    return table


def texts(document: str) -> tuple[str, ...]:
    """Return the texts of a JSON array; what is no text as JSON."""
    return tuple(
        item if isinstance(item, str) else json.dumps(item) for item in json.loads(document)
    )


def parquet_writer(sink: Any, schema: Any) -> Any:
    """Return a ``pyarrow.parquet.ParquetWriter``."""
    return parquet().ParquetWriter(sink, schema, compression="zstd")


class Decoder:
    """Decode the rows of a binary COPY.

    Parameters
    ----------
    columns : Columns
        The selected columns in order, fixed-width ones first.
    lengths : Mapping[str, str]
        Columns to add: the number of characters of a selected column.
    """

    def __init__(self, columns: Columns, lengths: Mapping[LiteralString, LiteralString]) -> None:
        self._fixed: Columns = {name: kind for name, kind in columns.items() if kind in WIRE_TYPES}
        self._texts = [name for name in columns if name not in self._fixed]
        self._lengths = lengths
        types = [WIRE_TYPES[kind] for kind in self._fixed.values()]
        # A row starts with its number of fields in two bytes, a field with its length in four.
        ends = list(accumulate((4 + each.itemsize for each in types), initial=2))
        self._row = np.dtype(
            {
                "names": list(self._fixed),
                "formats": types,
                "offsets": [end + 4 for end in ends[:-1]],
                "itemsize": ends[-1],
            }
        )

    def column(self, rows: Rows, name: LiteralString) -> Vector:
        """Return the values of a fixed-width column in PostgreSQL's binary format."""
        kind, offset, *_ = (self._row.fields or {})[name]
        data, starts = _row_starts(rows)
        return _values(data, starts + offset, kind)

    def decode(self, rows: Rows, order: Vector | None = None) -> Any:
        """Return a ``pyarrow.RecordBatch`` of all rows, or of the rows of some indices in order."""
        data, starts = _row_starts(rows)
        if order is not None and len(order) < len(starts):
            chosen = np.sort(order)
            starts, order = starts[chosen], np.searchsorted(chosen, order)
        fields = _values(data, starts, self._row)
        if order is not None:
            fields = fields[order]
        arrays = {
            name: _array(kind, fields[name])
            for name, kind in self._fixed.items()
            if kind in ARROW_TYPES
        }
        if self._texts:
            arrays |= self._strings(data, starts + self._row.itemsize, order)
        for name, counted in self._lengths.items():
            arrays[name] = pc.utf8_length(arrays[counted])
        return pa.RecordBatch.from_pydict(arrays)

    def _strings(self, data: Vector, starts: Vector, order: Vector | None) -> dict[str, Any]:
        """Return the texts, which follow the fixed-width part of each row."""
        count = len(self._texts)
        # One string array splits the data of all rows into gap, text, gap, text ...; the columns
        # are taken from its odd elements.
        offsets = np.empty(2 * count * len(starts) + 1, np.int64)
        offsets[-1] = len(data)
        bounds = offsets[:-1].reshape(-1, 2 * count)
        missing = np.empty((count, len(starts)), bool)
        for number in range(count):
            lengths = _values(data, starts, np.dtype(">i4")).astype(np.int64)
            missing[number] = lengths < 0
            bounds[:, 2 * number] = starts + 4
            starts = starts + 4 + np.maximum(lengths, 0)
            bounds[:, 2 * number + 1] = starts
        pieces = pa.Array.from_buffers(
            pa.large_string(),
            bounds.size,
            [None, pa.py_buffer(offsets), pa.py_buffer(data)],
        )
        if order is None:
            order = np.arange(len(starts))
        return {
            name: pc.take(
                pieces,
                pa.array(order * (2 * count) + 2 * number, mask=missing[number][order]),
                memory_pool=SYSTEM_MEMORY,
            )
            for number, name in enumerate(self._texts)
        }


def _row_starts(rows: Rows) -> tuple[Vector, Vector]:
    """Return the data of rows, and the offset of each row."""
    sizes = np.frombuffer(rows.sizes, np.int64)
    return np.frombuffer(rows.data, np.uint8), np.cumsum(sizes) - sizes


def _values(data: Vector, starts: Vector, kind: np.dtype[Any]) -> Vector:
    """Return the values of a type that start at some offsets."""
    # A view with a value at every byte, so that all values are taken in one operation.
    everywhere = np.ndarray(len(data) - kind.itemsize + 1, kind, data, strides=1)
    return everywhere[starts]


def _array(kind: ColumnType, values: Vector) -> Any:
    if kind == "timestamp":
        missing = np.isin(values, INFINITIES)
        since_1970 = values.astype(np.int64) + EPOCH_2000
        return pa.array(since_1970, mask=missing).cast(ARROW_TYPES["timestamp"])
    if kind == "index":
        return pa.array(values.astype(np.int64), mask=values < 0)
    # from_pandas: NaN is a missing number.
    return pa.array(values.astype(values.dtype.newbyteorder("=")), from_pandas=True)
