"""Requests that read a frame: whole, or in parts."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from sys import maxsize
from typing import TYPE_CHECKING, Any

from draive_pg.codec.validation import check_size
from draive_pg.display.progress import progress, watched
from draive_pg.frames.frame import Frame
from draive_pg.frames.query import Backend, Filters, FrameQuery, check_choice
from draive_pg.operations.copy import Collector, Copy, Rows
from draive_pg.operations.estimate import estimate
from draive_pg.operations.operation import Request, Steps, workflow

if TYPE_CHECKING:
    from pandas import DataFrame
    from tqdm import tqdm


def read(frame: Frame, filters: Filters, *, backend: Backend = "pandas") -> "Request[DataFrame]":
    """Read a frame as one DataFrame, ``pyarrow.Table`` or ``polars.DataFrame``."""
    check_choice(Backend, backend, "backend")
    query = FrameQuery(frame, filters, any_order=backend == "pandas")
    copy = read_query(query) if backend == "pandas" else _read_tables(query, maxsize, backend)
    return with_progress(copy, query.frame)


def with_progress[T](copy: Copy[T], what: str, *, wanted: bool | None = None) -> Request[T]:
    """Show a progress bar; its total is the planner's estimate. By default, see `progress`."""
    if not watched(wanted):
        return copy

    @workflow
    def watch() -> Steps[T]:
        total = yield estimate(copy.name, copy.statement, copy.fallback)

        @contextmanager
        def collect() -> Generator[Watched[T]]:
            with (
                progress(total, what, " rows", wanted=wanted) as bar,
                watching(copy.collect, bar) as collector,
            ):
                yield collector

        return (yield replace(copy, collect=collect))

    return watch()


@contextmanager
def watching[T](
    collect: Callable[[], AbstractContextManager[Collector[T]]], bar: "tqdm[Any]"
) -> "Generator[Watched[T]]":
    """Provide a collector that advances a progress bar."""
    with collect() as collector:
        yield Watched(collector, bar)


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
    return _read_tables(query, check_size(rows, "rows"), "pandas")


def _read_tables(query: FrameQuery, rows: int, backend: Backend) -> Copy[Any]:
    """Read the rows of a query in tables of so many rows."""

    def collect() -> Any:
        from draive_pg.frames.assemble import Tables, converter

        return nullcontext(Tables(query, rows, converter(query.columns, backend)))

    return Copy(query.name, query.statement, collect, query.fallback)
