"""Requests that read a frame: as one DataFrame, or as several."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_size
from draive_pg.frames.frame import Frame
from draive_pg.frames.query import Filters, FrameQuery, OneOrMany
from draive_pg.operations.copy import Copy

if TYPE_CHECKING:
    from pandas import DataFrame


def read(
    frame: Frame,
    identifier: OneOrMany | None = None,
    since: Timestamp | None = None,
    until: Timestamp | None = None,
    limit: int | None = None,
    columns: Sequence[str] | None = None,
    *,
    role: str | None = None,
    tool: OneOrMany | None = None,
) -> "Copy[DataFrame]":
    """Read a frame as one DataFrame."""
    filters: Filters = {
        "identifier": identifier,
        "since": since,
        "until": until,
        "limit": limit,
        "role": role,
        "tool": tool,
        "columns": columns,
    }
    return read_query(FrameQuery(frame, filters, any_order=True))


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
