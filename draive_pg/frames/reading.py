"""A frame read by COPY: whole as one DataFrame, or as several."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Unpack

from draive_pg.codec.validation import check_limit
from draive_pg.frames.frame import Frame
from draive_pg.frames.query import Filters, query
from draive_pg.operations.copy import Collector, Copy

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ("chunks", "read")


def read(
    frame: Frame, *, more: Sequence[object] = (), **filters: Unpack[Filters]
) -> "Copy[DataFrame]":
    """Read a frame whole; ``more`` are parameters that only it has."""
    asked = query(frame, **filters, more=more, ordered=False)

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
