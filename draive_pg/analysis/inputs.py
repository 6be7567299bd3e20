"""Conversion of the DataFrames that callers pass to the dtypes of `db.frames`."""

import json
from typing import Any, cast

from draive_pg.codec.elements import UNTIMED
from draive_pg.dataframes import np, pd
from draive_pg.errors import TimesMissing, warn

TIMESTAMP = "datetime64[us, UTC]"

DTYPES: dict[str, Any] = {
    **dict.fromkeys(("identifier", "name", "role", "text", "call", "tool", "response"), "str"),
    **dict.fromkeys(("handling", "action", "label"), "str"),
    **dict.fromkeys(("position", "tool_requests", "tool_responses", "n_chars"), "int64"),
    **dict.fromkeys(("created", "responded", "time", "revision_created"), TIMESTAMP),
    "seconds": "float64",
    "revision": "Int64",
}


TUPLES = ("tools", "labels")
KEYS = ("identifier", "name")


def prepared(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the required columns with the dtypes of `db.frames`; other columns hold JSON.

    In a file, times of CSV and JSON Lines are text, and so is JSON in Parquet and CSV. In Parquet
    that pandas wrote, lists are numpy arrays.

    Raises
    ------
    ValueError
        If a column is missing, or an identifier.
    """
    for column in columns:
        if column not in frame:
            raise ValueError(f"the DataFrame has no column {column!r}; take {', '.join(columns)}")
        if column in KEYS and frame[column].isna().any():  # groups would leave out these rows
            raise ValueError(
                f"a row has no {column}: pandas.read_csv takes texts such as NA for missing, "
                "unless it is called with keep_default_na=False"
            )
    return pd.DataFrame({column: _converted(frame[column], column) for column in columns})


def untimed(log: pd.DataFrame, *, only_import: bool = False) -> "pd.Series[bool]":
    """Return which elements of a log have no time of their own, and warn if there are any.

    Parameters
    ----------
    log : DataFrame
        `conversation_log`; without the column ``meta``, all elements have times.
    only_import : bool
        Only those of logs without any time, whose ``created`` is the time of the import.
    """
    metas = map(_parsed, log["meta"] if "meta" in log else [None] * len(log))
    marks = [
        cast("dict[str, Any]", meta).get(UNTIMED) if isinstance(meta, dict) else None
        for meta in metas
    ]
    found = pd.Series(
        [mark == "import" if only_import else mark is not None for mark in marks],
        index=log.index,
        dtype=bool,
    )
    if count := int(found.sum()):
        warn(
            f"{count:,} of {len(log):,} elements are of chat logs without times: what depends on "
            "their times is missing",
            TimesMissing,
        )
    return found


def _converted(values: "pd.Series[Any]", column: str) -> "pd.Series[Any]":
    dtype = DTYPES.get(column)
    if dtype is None:
        parsed: list[Any] = [_parsed(value) for value in values]
        if column in TUPLES:
            parsed = [*map(tuple, parsed)]
        return pd.Series(parsed, index=values.index, dtype="object")
    if str(values.dtype) == dtype:
        return values
    if dtype == TIMESTAMP:
        values = pd.to_datetime(values, utc=True, format="ISO8601")
    return values.astype(dtype)


def _parsed(value: object) -> object:
    if not isinstance(value, str):
        return _with_lists(value)
    try:
        return json.loads(value)
    except ValueError:
        return value


def _with_lists(value: object) -> object:
    """Return a document with lists in place of numpy arrays."""
    match value:
        case dict():
            return {key: _with_lists(item) for key, item in cast("dict[str, Any]", value).items()}
        case np.ndarray():
            return [_with_lists(item) for item in value.tolist()]
        case _:
            return value
