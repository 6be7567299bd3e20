"""Requests that read a frame: whole, or in parts."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from draive_pg.codec.validation import check_size
from draive_pg.frames.frame import Frame
from draive_pg.frames.query import Backend, Filters, FrameQuery, check_backend
from draive_pg.operations.copy import Copy

if TYPE_CHECKING:
    from pandas import DataFrame


def read(frame: Frame, filters: Filters, *, backend: Backend = "pandas") -> "Copy[DataFrame]":
    """Read a frame as one DataFrame, ``pyarrow.Table`` or ``polars.DataFrame``."""
    check_backend(backend)
    if backend == "pandas":
        return read_query(FrameQuery(frame, filters, any_order=True))
    query = FrameQuery(frame, filters)

    def collect() -> Any:
        from draive_pg.frames.assemble import Table

        return nullcontext(Table(query, polars=backend == "polars"))

    return Copy(query.name, query.statement, collect, query.fallback)


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
