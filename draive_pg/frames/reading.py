"""A frame read by COPY: whole as one DataFrame, or as several."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

from draive_pg.content.checks import check_limit
from draive_pg.frames.frame import Frame
from draive_pg.frames.query import Filters, Several, query
from draive_pg.operations.copying import Collector, Copy

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ("chunks", "read")


def read(  # noqa: PLR0913 - as many as `query` takes
    frame: Frame,
    identifier: Several = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    role: str | None = None,
    tool: Several = None,
    columns: Sequence[str] | None = None,
    more: Sequence[object] = (),
) -> "Copy[DataFrame]":
    """Read a frame whole; ``more`` are parameters that only it has."""
    asked = query(
        frame,
        identifier=identifier,
        since=since,
        until=until,
        limit=limit,
        role=role,
        tool=tool,
        columns=columns,
        more=more,
        ordered=False,
    )

    def collect() -> "AbstractContextManager[Collector[DataFrame]]":
        from draive_pg.frames.assembling import Whole
        from draive_pg.frames.ordering import Ordered

        return nullcontext(Whole(asked) if asked.ordered else Ordered(asked))

    return Copy(asked.name, asked.statement, collect)


def chunks(frame: Frame, rows: int, filters: Filters) -> "Copy[DataFrame]":
    """Read a frame in several of so many rows; at least one, which may be empty."""
    if check_limit(rows, "rows") is None:
        raise ValueError("rows must be a positive int, not None")
    asked = query(frame, **filters)

    def collect() -> "AbstractContextManager[Collector[DataFrame]]":
        from draive_pg.frames.assembling import Chunks

        return nullcontext(Chunks(asked, rows))

    return Copy(asked.name, asked.statement, collect)
