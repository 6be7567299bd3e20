"""Rows that come in any order as one DataFrame in order, in little more memory than it takes."""

from array import array
from collections import defaultdict
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from mmap import mmap
from threading import main_thread
from typing import TYPE_CHECKING

import numpy as np

from draive_pg.frames.arrow import pa
from draive_pg.frames.assembling import Part, frame, part
from draive_pg.frames.decoding import Vector
from draive_pg.frames.frame import KEYS
from draive_pg.frames.query import Query
from draive_pg.operations.copy import Rows

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ("Ordered",)

# Rows that are decoded at once, at least and at most, where there are so many.
FEWEST = 1 << 12
MOST = 1 << 15

# The bytes that a bin has room for at first.
ROOM = 1 << 16

# Two take little more than half the time of one; each of more would hold a piece of its own.
THREADS = 2


class Bin:
    """Rows in room of their own, which goes back to the system with them.

    On the heap, what bins leave would stay with the process: its gaps are too small for the
    columns that are made of them.
    """

    def __init__(self) -> None:
        self._room = mmap(-1, ROOM)
        self._sizes = array("q")

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, data: memoryview, sizes: Vector) -> None:
        self._sizes.frombytes(sizes.tobytes())
        end = self._room.tell() + len(data)
        if end > len(self._room):
            larger = mmap(-1, 4 * end)  # pages that nothing is written to take no memory
            larger.write(self._filled())
            self._room = larger
        self._room.write(data)

    def rows(self) -> Rows:
        return Rows(self._filled(), self._sizes)

    def _filled(self) -> memoryview:
        return memoryview(self._room)[: self._room.tell()]


class Ordered:
    """Collects all rows of a query as one DataFrame.

    Rows are dealt to bins of memories as they come, undecoded; in the end each bin becomes parts
    of the columns, in order, and is let go of. So both are held only of a bin: of all rows, where
    one memory has them. PostgreSQL would send none before it had sorted them all.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._decoder = query.decoder()
        self._bins: dict[int, Bin] = defaultdict(Bin)

    def take(self, rows: Rows) -> Sequence["DataFrame"]:
        bins = self._decoder.column(rows, "memory") >> 32
        order = np.argsort(bins.astype(np.uint8), kind="stable")
        sizes = np.frombuffer(rows.sizes, np.int64)
        arrived = pa.Array.from_buffers(
            pa.large_binary(),
            len(sizes),
            [None, pa.py_buffer(_cuts(sizes)), pa.py_buffer(rows.data)],
        )
        dealt = memoryview(arrived.take(pa.array(order)).buffers()[2])
        dealt_sizes = sizes[order]
        cuts = _cuts(dealt_sizes)
        first = 0
        numbers, counts = np.unique(bins, return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            last = first + count
            self._bins[number].add(dealt[cuts[first] : cuts[last]], dealt_sizes[first:last])
            first = last
        return ()

    def finish(self) -> Sequence["DataFrame"]:
        pieces = self._pieces()
        with ThreadPoolExecutor(THREADS) as threads:
            # Once the main thread has ended, no other one starts.
            with_others = main_thread().is_alive()
            made = threads.map(self._parts, pieces) if with_others else map(self._parts, pieces)
            parts = list(chain.from_iterable(made))
        return (frame(self._query.columns, parts),)

    def _pieces(self) -> Generator[Sequence[Bin]]:
        """Yield the bins in their order, as many at once as make a piece."""
        piece: list[Bin] = []
        for number in sorted(self._bins):
            piece.append(self._bins.pop(number))
            if sum(map(len, piece)) >= FEWEST:
                yield piece
                piece = []
        if piece:
            yield piece

    def _parts(self, bins: Sequence[Bin]) -> Sequence[Part]:
        """Return the parts of the columns that the rows of some bins are."""
        rows = _joined([each.rows() for each in bins])
        memory, created, place = (self._decoder.column(rows, key) for key in KEYS)
        order = np.lexsort((place["line"], place["page"], created, memory))
        memory = memory[order]
        firsts = np.flatnonzero(np.append(True, memory[1:] != memory[:-1]))
        counts = np.diff(firsts, append=len(memory))
        position = np.arange(len(memory)) - np.repeat(firsts, counts)
        parts: list[Part] = []
        for start in range(0, len(order), MOST):
            some = slice(start, start + MOST)
            batch = self._decoder.decode(rows, order[some])
            batch = batch.append_column("position", pa.array(position[some]))
            parts.append(part(self._query.columns, batch))
        return parts


def _cuts(sizes: Vector) -> Vector:
    """Return where each begins of what has such sizes, and where the last ends."""
    return np.append(0, np.cumsum(sizes))


def _joined(rows: Sequence[Rows]) -> Rows:
    if len(rows) == 1:
        return rows[0]
    sizes = np.concatenate([np.frombuffer(some.sizes, np.int64) for some in rows])
    return Rows(b"".join(some.data for some in rows), sizes)
