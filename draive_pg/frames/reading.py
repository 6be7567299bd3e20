"""Rows of a frame as a pandas DataFrame: fixed columns and dtypes, also when there are none."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString

from draive_pg.content.documents import check_limit, check_moment, check_texts
from draive_pg.frames.definitions import Frame, Kind
from draive_pg.operations.operation import Operation, Row, Statement

if TYPE_CHECKING:
    from pandas import DataFrame, Series

__all__ = ("Subjects", "read")

type Subjects = str | Sequence[str] | None

# How a column of each kind is selected: as what any driver returns alike and numpy takes as it is.
# A time is microseconds since 1970, and an infinite one, which no Python type holds, is missing.
SELECTED: Mapping[Kind, tuple[LiteralString, LiteralString]] = {
    "text": ("", "::TEXT"),
    "integer": ("", "::INT8"),
    "number": ("", "::FLOAT8"),
    "flag": ("", "::BOOLEAN"),
    "time": ("(extract(EPOCH FROM nullif(nullif(", ", 'infinity'), '-infinity')) * 1000000)::INT8"),
    "json": ("", "::TEXT"),
}


def read(
    frame: Frame,
    subjects: Subjects = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    columns: Sequence[str] | None = None,
    more: Sequence[object] = (),
) -> "Operation[DataFrame]":
    """Build the operation that reads a frame; ``more`` are parameters that only it has."""
    chosen = _columns(frame, columns)
    return Operation(
        name=f"read frame {frame.name}",
        statements=(
            Statement(
                f"SELECT {_selected(chosen)} FROM ({frame.sql}) AS frame",
                (
                    check_texts(subjects, "identifier"),
                    check_moment(since, "since"),
                    check_moment(until, "until"),
                    check_limit(limit, "limit"),
                    *more,
                ),
            ),
        ),
        decode=lambda rows: _frame(chosen, rows),
        reads=True,
    )


def _columns(frame: Frame, wanted: Sequence[str] | None) -> dict[LiteralString, Kind]:
    if wanted is None:
        return dict(frame.columns)
    if isinstance(wanted, str) or not wanted:
        raise ValueError(f"columns must be a sequence of at least one name, not {wanted!r:.80}")
    if unknown := [column for column in wanted if column not in frame.columns]:
        raise ValueError(
            f"frame {frame.name} has no column {unknown[0]!r:.80}, only {', '.join(frame.columns)}"
        )
    # The frame's own literals, not the caller's texts, become SQL.
    literals: dict[str, tuple[LiteralString, Kind]] = {
        column: (column, kind) for column, kind in frame.columns.items()
    }
    return dict(literals[column] for column in wanted)


def _selected(columns: Mapping[LiteralString, Kind]) -> LiteralString:
    selected: list[LiteralString] = []
    for column, kind in columns.items():
        before, after = SELECTED[kind]
        selected.append(f'{before}frame."{column}"{after} AS "{column}"')
    return ", ".join(selected)


def _frame(columns: Mapping[LiteralString, Kind], rows: Sequence[Row]) -> "DataFrame":
    import pandas as pd

    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return pd.DataFrame(
        {
            column: _series(kind, column_values)
            for (column, kind), column_values in zip(columns.items(), values, strict=True)
        }
    )


def _series(kind: Kind, values: Sequence[Any]) -> "Series[Any]":
    import pandas as pd

    match kind:
        case "text":
            return pd.Series(values, dtype="str")
        case "integer":
            return pd.Series(values, dtype="int64")
        case "number":
            return pd.Series(values, dtype="float64")
        case "flag":
            return pd.Series(values, dtype="bool")
        case "time":
            since_1970 = pd.Series(values, dtype="Int64")
            return pd.to_datetime(since_1970, unit="us", utc=True).dt.as_unit("us")
        case "json":
            return pd.Series(
                [None if value is None else _document(value) for value in values], dtype="object"
            )


def _document(text: str) -> object:
    """Return a JSON document, or its text where Python cannot hold it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
