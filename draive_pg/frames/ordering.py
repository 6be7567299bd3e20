"""Rows that come in any order as one DataFrame in order, in little more memory than it takes."""

from array import array
from collections import defaultdict
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from mmap import ACCESS_COPY, mmap
from typing import TYPE_CHECKING, Any

import numpy as np

from draive_pg.frames.arrow import pa
from draive_pg.frames.assembling import Part, frame, part
from draive_pg.frames.frame import KEYS
from draive_pg.frames.query import Query
from draive_pg.operations.copying import Rows

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ("Ordered",)

type Vector = np.ndarray[Any, Any]

# Rows that are decoded at once, at least, where there are so many.
PIECE = 1 << 12

# The bytes of a bin at first; those that are not written take none.
ROOM = 1 << 21

# Each thread more takes less time, and holds another piece.
THREADS = 2


class Bin:
    """Rows in memory that goes back to the system with them.

    What is freed of the heap in between would stay with the process, for it is too small for the
    columns that are made of it.
    """

    def __init__(self) -> None:
        self._memory = mmap(-1, ROOM, access=ACCESS_COPY)
        self._sizes = array("q")

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, data: memoryview, sizes: Vector) -> None:
        self._sizes.frombytes(sizes.tobytes())
        end = self._memory.tell() + len(data)
        if end > len(self._memory):
            larger = mmap(-1, 2 * end, access=ACCESS_COPY)
            larger.write(self._filled())
            self._memory = larger
        self._memory.write(data)

    def rows(self) -> Rows:
        return Rows(self._filled(), self._sizes)

    def _filled(self) -> memoryview:
        return memoryview(self._memory)[: self._memory.tell()]


class Ordered:
    """Collects all rows of a query as one DataFrame.

    Rows are dealt to bins as they come, undecoded; in the end each bin becomes a part of the
    columns, in order, and is let go of. PostgreSQL would send none before it had sorted them all.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._decoder = query.decoder()
        self._bins: dict[int, Bin] = defaultdict(Bin)

    def take(self, rows: Rows) -> Sequence["DataFrame"]:
        bins = self._decoder.column(rows, "memory") >> 32
        order = np.argsort(bins.astype(np.uint8), kind="stable")
        sizes = np.frombuffer(rows.sizes, np.int64)
        ends = np.cumsum(sizes)
        sorted_rows = pa.Array.from_buffers(
            pa.large_binary(),
            len(sizes),
            [None, pa.py_buffer(np.append(0, ends)), pa.py_buffer(rows.data)],
        ).take(pa.array(order))
        data = memoryview(sorted_rows.buffers()[2])
        sizes = sizes[order]
        ends = np.append(0, np.cumsum(sizes))
        first = 0
        numbers, counts = np.unique(bins, return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            last = first + count
            self._bins[number].add(data[ends[first] : ends[last]], sizes[first:last])
            first = last
        return ()

    def finish(self) -> Sequence["DataFrame"]:
        with ThreadPoolExecutor(THREADS) as threads:
            parts = list(threads.map(self._part, self._pieces()))
        return (frame(self._query.columns, parts),)

    def _pieces(self) -> Generator[Sequence[Bin]]:
        """Yield the bins in their order, as many at once as make a piece."""
        piece: list[Bin] = []
        for number in sorted(self._bins):
            piece.append(self._bins.pop(number))
            if sum(map(len, piece)) >= PIECE:
                yield piece
                piece = []
        if piece:
            yield piece

    def _part(self, bins: Sequence[Bin]) -> Part:
        """Return the part of the columns that the rows of some bins are."""
        rows = _joined([each.rows() for each in bins])
        memory, created, place = (self._decoder.column(rows, key) for key in KEYS)
        order = np.lexsort((place["line"], place["page"], created, memory))
        batch = self._decoder.decode(rows, order)
        memory = memory[order]
        firsts = np.flatnonzero(np.append(True, memory[1:] != memory[:-1]))
        counts = np.diff(firsts, append=len(memory))
        position = np.arange(len(memory)) - np.repeat(firsts, counts)
        return part(self._query.columns, batch.append_column("position", pa.array(position)))


def _joined(rows: Sequence[Rows]) -> Rows:
    if len(rows) == 1:
        return rows[0]
    sizes = np.concatenate([np.frombuffer(some.sizes, np.int64) for some in rows])
    return Rows(b"".join(some.data for some in rows), sizes)
