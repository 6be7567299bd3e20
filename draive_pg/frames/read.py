"""Requests that read a frame: whole, or in parts."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from draive_pg.codec.validation import check_size
from draive_pg.display.progress import progress, watched
from draive_pg.frames.frame import Frame
from draive_pg.frames.query import Backend, Filters, FrameQuery, check_backend
from draive_pg.operations.copy import Collector, Copy, Rows
from draive_pg.operations.estimate import estimate
from draive_pg.operations.operation import Request, Steps, workflow

if TYPE_CHECKING:
    from pandas import DataFrame
    from tqdm import tqdm


def read(frame: Frame, filters: Filters, *, backend: Backend = "pandas") -> "Request[DataFrame]":
    """Read a frame as one DataFrame, ``pyarrow.Table`` or ``polars.DataFrame``."""
    check_backend(backend)
    if backend == "pandas":
        query = FrameQuery(frame, filters, any_order=True)
        return _with_progress(read_query(query), query)
    query = FrameQuery(frame, filters)

    def collect() -> Any:
        from draive_pg.frames.assemble import Table

        return nullcontext(Table(query, polars=backend == "polars"))

    return _with_progress(Copy(query.name, query.statement, collect, query.fallback), query)


def _with_progress[T](copy: Copy[T], query: FrameQuery) -> Request[T]:
    """Show a progress bar in a terminal or notebook; its total is the planner's estimate."""
    if not watched():
        return copy

    @workflow
    def watch() -> Steps[T]:
        total = yield estimate(query.name, query.statement, query.fallback)

        @contextmanager
        def collect() -> Generator[Watched[T]]:
            with (
                progress(total, query.frame, " rows") as bar,
                copy.collect() as collector,
            ):
                yield Watched(collector, bar)

        return (yield replace(copy, collect=collect))

    return watch()


class Watched[T]:
    """A collector that advances a progress bar by the rows that arrive."""

    def __init__(self, collector: Collector[T], bar: "tqdm[Any]") -> None:
        self._collector = collector
        self._bar = bar

    def take(self, rows: Rows) -> Sequence[T]:
        self._bar.update(len(rows))
        return self._collector.take(rows)

    def finish(self) -> Sequence[T]:
        return self._collector.finish()


def read_query(query: FrameQuery) -> "Copy[DataFrame]":
    """Read all rows of a query as one DataFrame."""

    def collect() -> Any:
        from draive_pg.frames.assemble import Whole
        from draive_pg.frames.order import Ordered

        return nullcontext(Whole(query) if query.ordered else Ordered(query))

    return Copy(query.name, query.statement, collect, query.fallback)


def chunks(frame: Frame, filters: Filters, rows: int) -> "Copy[DataFrame]":
    """Read a frame as DataFrames of so many rows, at least one."""
    query = FrameQuery(frame, filters)
    check_size(rows, "rows")

    def collect() -> Any:
        from draive_pg.frames.assemble import Chunks

        return nullcontext(Chunks(query, rows))

    return Copy(query.name, query.statement, collect, query.fallback)
