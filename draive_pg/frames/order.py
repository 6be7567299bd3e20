"""Collector that sorts rows on the client, in little more memory than the result."""

from array import array
from collections import defaultdict
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from mmap import mmap
from threading import main_thread
from typing import TYPE_CHECKING

from draive_pg.dataframes import np, pa
from draive_pg.frames.arrow import Vector
from draive_pg.frames.assemble import Arrays, arrays, data_frame
from draive_pg.frames.frame import SORT_COLUMNS
from draive_pg.frames.query import FrameQuery
from draive_pg.operations.copy import Rows

if TYPE_CHECKING:
    from pandas import DataFrame

# Rows to decode at once.
MIN_ROWS = 1 << 12
MAX_ROWS = 1 << 15

BUCKET_BYTES = 1 << 16  # initial size of a bucket

# Two threads take little more than half the time of one; each further one would cost memory.
THREADS = 2


class Bucket:
    """Encoded rows in anonymous memory maps, which are returned to the system when freed.

    Freed heap memory would be fragmented, too small for the columns of the result.
    """

    def __init__(self) -> None:
        self._memory = mmap(-1, BUCKET_BYTES)
        self._sizes = array("q")

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, data: memoryview, sizes: Vector) -> None:
        self._sizes.frombytes(sizes.tobytes())
        end = self._memory.tell() + len(data)
        if end > len(self._memory):
            larger = mmap(-1, 4 * end)  # untouched pages use no memory
            larger.write(self._written())
            self._memory = larger
        self._memory.write(data)

    def rows(self) -> Rows:
        return Rows(self._written(), self._sizes)

    def _written(self) -> memoryview:
        return memoryview(self._memory)[: self._memory.tell()]


class Ordered:
    """Collect all rows of a query as one DataFrame, in order.

    This is a bucket sort: encoded rows are distributed to buckets by memory as they arrive; at the
    end each bucket is sorted, decoded and freed. Encoded rows and columns coexist for one bucket
    only (all rows, if they belong to one memory). If PostgreSQL sorted, it would send no row until
    it had sorted all.
    """

    def __init__(self, query: FrameQuery) -> None:
        self._query = query
        self._decoder = query.decoder()
        self._buckets: dict[int, Bucket] = defaultdict(Bucket)

    def take(self, rows: Rows) -> Sequence["DataFrame"]:
        buckets = self._decoder.column(rows, "memory") >> 32
        order = np.argsort(buckets.astype(np.uint8), kind="stable")
        sizes = np.frombuffer(rows.sizes, np.int64)
        encoded = pa.Array.from_buffers(
            pa.large_binary(),
            len(sizes),
            [None, pa.py_buffer(_offsets(sizes)), pa.py_buffer(rows.data)],
        )
        grouped = memoryview(encoded.take(pa.array(order)).buffers()[2])
        sizes = sizes[order]
        offsets = _offsets(sizes)
        first = 0
        numbers, counts = np.unique(buckets, return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            last = first + count
            self._buckets[number].add(grouped[offsets[first] : offsets[last]], sizes[first:last])
            first = last
        return ()

    def finish(self) -> Sequence["DataFrame"]:
        groups = self._groups()
        with ThreadPoolExecutor(THREADS) as threads:
            # Python cannot start threads after the main thread has ended.
            parallel = main_thread().is_alive()
            sorted_ = threads.map(self._sorted, groups) if parallel else map(self._sorted, groups)
            parts = list(chain.from_iterable(sorted_))
        return (data_frame(self._query.columns, parts),)

    def _groups(self) -> Generator[Sequence[Bucket]]:
        """Yield the buckets in order, in groups of at least `MIN_ROWS` rows."""
        group: list[Bucket] = []
        for number in sorted(self._buckets):
            group.append(self._buckets.pop(number))
            if sum(map(len, group)) >= MIN_ROWS:
                yield group
                group = []
        if group:
            yield group

    def _sorted(self, buckets: Sequence[Bucket]) -> Sequence[Arrays]:
        """Return the columns of the rows of buckets, sorted, with their positions."""
        rows = _joined([each.rows() for each in buckets])
        memory, created, place = (self._decoder.column(rows, key) for key in SORT_COLUMNS)
        order = np.lexsort((place["offset"], place["block"], created, memory))
        memory = memory[order]
        firsts = np.flatnonzero(np.append(True, memory[1:] != memory[:-1]))
        counts = np.diff(firsts, append=len(memory))
        position = np.arange(len(memory)) - np.repeat(firsts, counts)
        parts: list[Arrays] = []
        for start in range(0, len(order), MAX_ROWS):
            some = slice(start, start + MAX_ROWS)
            batch = self._decoder.decode(rows, order[some])
            batch = batch.append_column("position", pa.array(position[some]))
            parts.append(arrays(self._query.columns, batch))
        return parts


def _offsets(sizes: Vector) -> Vector:
    """Return the offsets of items of the given sizes, and the end of the last item."""
    return np.append(0, np.cumsum(sizes))


def _joined(rows: Sequence[Rows]) -> Rows:
    if len(rows) == 1:
        return rows[0]
    sizes = np.concatenate([np.frombuffer(some.sizes, np.int64) for some in rows])
    return Rows(b"".join(some.data for some in rows), sizes)
