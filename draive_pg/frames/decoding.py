"""Rows of a binary COPY as Arrow arrays, without a Python object for each value.

The columns of a fixed width come first in each row and are never NULL, so they stand at the same
place of every row; the texts follow.
"""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any, LiteralString

import numpy as np

from draive_pg.frames.arrow import SYSTEM, pa, pc
from draive_pg.frames.frame import Kind
from draive_pg.operations.copy import Rows

__all__ = ("ARROW", "Decoder", "Vector")

type Vector = np.ndarray[Any, Any]

# PostgreSQL counts microseconds from 2000, and its infinities are the ends of the range.
UNIX = 946_684_800_000_000
INFINITE = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max])

WIDTHS: Mapping[Kind, np.dtype[Any]] = {
    "integer": np.dtype(">i8"),
    "number": np.dtype(">f8"),
    "flag": np.dtype("?"),
    "time": np.dtype(">i8"),
    "place": np.dtype([("page", ">u4"), ("line", ">u2")]),
}

# Of what is selected only to order rows, no arrays are made.
ARROW: Mapping[Kind, Any] = {
    "text": pa.large_string(),
    "json": pa.large_string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("us", "UTC"),
}


class Decoder:
    """Decodes rows.

    Parameters
    ----------
    columns : Mapping[LiteralString, Kind]
        What was selected, in that order: first what has a fixed width.
    lengths : Mapping[LiteralString, LiteralString]
        Further columns, which count the characters of selected ones.
    """

    def __init__(
        self, columns: Mapping[LiteralString, Kind], lengths: Mapping[LiteralString, LiteralString]
    ) -> None:
        self._fixed: dict[LiteralString, Kind] = {
            name: kind for name, kind in columns.items() if not _is_text(kind)
        }
        self._texts = [name for name, kind in columns.items() if _is_text(kind)]
        self._lengths = lengths
        widths = [WIDTHS[kind] for kind in self._fixed.values()]
        # A row says in two bytes how many fields it has, a field in four how long it is.
        ends = list(accumulate((4 + width.itemsize for width in widths), initial=2))
        self._row = np.dtype(
            {
                "names": list(self._fixed),
                "formats": widths,
                "offsets": [end + 4 for end in ends[:-1]],
                "itemsize": ends[-1],
            }
        )

    def column(self, rows: Rows, name: LiteralString) -> Vector:
        """Return the values of a column of a fixed width, as PostgreSQL sent them."""
        kind, offset, *_ = (self._row.fields or {})[name]
        octets, starts = _cut(rows)
        return _taken(octets, starts + offset, kind)

    def decode(self, rows: Rows, order: Vector | None = None) -> Any:
        """Return the ``pyarrow.RecordBatch`` of all rows as they are, or of some in an order."""
        octets, starts = _cut(rows)
        if order is not None and len(order) < len(starts):
            chosen = np.sort(order)
            starts, order = starts[chosen], np.searchsorted(chosen, order)
        fields = _taken(octets, starts, self._row)
        if order is not None:
            fields = fields[order]
        arrays = {
            name: _array(kind, fields[name]) for name, kind in self._fixed.items() if kind in ARROW
        }
        if self._texts:
            arrays |= self._strings(octets, starts + self._row.itemsize, order)
        for name, counted in self._lengths.items():
            arrays[name] = pc.utf8_length(arrays[counted])
        return pa.RecordBatch.from_pydict(arrays)

    def _strings(self, octets: Vector, begins: Vector, order: Vector | None) -> dict[str, Any]:
        """Return the texts that follow the fixed part of each row."""
        count = len(self._texts)
        # One array cuts the bytes of all rows into gap, text, gap, text ...; what is taken of it
        # are the texts.
        offsets = np.empty(2 * count * len(begins) + 1, np.int64)
        offsets[-1] = len(octets)
        cuts = offsets[:-1].reshape(-1, 2 * count)
        missing = np.empty((count, len(begins)), bool)
        for number in range(count):
            lengths = _taken(octets, begins, np.dtype(">i4")).astype(np.int64)
            missing[number] = lengths < 0
            cuts[:, 2 * number] = begins + 4
            begins = begins + 4 + np.maximum(lengths, 0)
            cuts[:, 2 * number + 1] = begins
        pieces = pa.Array.from_buffers(
            pa.large_string(),
            cuts.size,
            [None, pa.py_buffer(offsets), pa.py_buffer(octets)],
        )
        if order is None:
            order = np.arange(len(begins))
        return {
            name: pc.take(
                pieces,
                pa.array(order * (2 * count) + 2 * number, mask=missing[number][order]),
                memory_pool=SYSTEM,
            )
            for number, name in enumerate(self._texts)
        }


def _cut(rows: Rows) -> tuple[Vector, Vector]:
    """Return the bytes of rows, and where each begins."""
    sizes = np.frombuffer(rows.sizes, np.int64)
    return np.frombuffer(rows.data, np.uint8), np.cumsum(sizes) - sizes


def _is_text(kind: Kind) -> bool:
    return kind in ("text", "json")


def _taken(octets: Vector, starts: Vector, kind: np.dtype[Any]) -> Vector:
    """Return the values of a kind that begin at the given places."""
    # As if a value began at each octet, so that those that do can be taken at once.
    anywhere = np.ndarray(len(octets) - kind.itemsize + 1, kind, octets, strides=1)
    return anywhere[starts]


def _array(kind: Kind, values: Vector) -> Any:
    if kind == "time":
        missing = np.isin(values, INFINITE)
        since_1970 = values.astype(np.int64) + UNIX
        return pa.array(since_1970, mask=missing).cast(ARROW["time"])
    # NaN is what stands for a number that is missing.
    return pa.array(values.astype(values.dtype.newbyteorder("=")), from_pandas=True)
