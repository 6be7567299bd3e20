"""How a notebook shows the DataFrames of draive_pg: wrapped texts, and the columns that fit."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from html import escape
from math import floor, isfinite, log10
from numbers import Real
from typing import Any, cast

from draive_pg.dataframes import np, pd
from draive_pg.display import html
from draive_pg.display.notebook import shell
from draive_pg.display.text import is_missing, plural, printable, with_values

# pandas copies `attrs` to what is computed from a DataFrame.
SOURCE = {"source": "draive_pg"}

WIDTH = 140  # characters of a row that fit in a notebook
MAX_TEXT = 30  # characters of a text that count for the width; longer ones are wrapped
MORE_TEXT = 25  # characters that a longer text gets before the columns that are shown last

# Columns to show after the others if a row is too wide, the first of them first.
LAST = (
    *("first", "last", "created", "asked", "since", "answered", "handling", "responded"),
    *("n_chars", "question_chars", "answer_chars", "elements", "tool_requests", "tool_responses"),
    *("parts", "role", "meta", "call", "revision_created", "annotated", "id", "digest"),
)

SHOWN: tuple[type, ...] = (
    str,
    Real,
    datetime,
    Mapping,
    list,
    tuple,
)  # as in other tables; others as their str()

MARKED = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
MARK = "background:color-mix(in srgb, gold 45%, transparent);border-radius:2px"


class Excerpt(str):
    """A text in which the words that were found are between double brackets."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        marked = MARKED.sub(rf'<b style="{MARK}">\1</b>', escape(self))
        return f'<span style="{html.TEXT}">{marked}</span>'


class Label(int):
    """A label of the index."""

    def _repr_html_(self) -> str:
        return f'<span style="{html.DIM}">{int(self)}</span>'


class Fixed(float):
    """A number with a fixed number of decimals."""

    def __new__(cls, value: float, decimals: int) -> "Fixed":
        number = super().__new__(cls, value)
        number.decimals = decimals
        return number

    decimals: int

    def _repr_html_(self) -> str:
        return f"{self:,.{self.decimals}f}"


def with_display(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a DataFrame so marked that notebooks show it, and its parts, by `table`."""
    frame.attrs |= SOURCE
    if (ipython := shell()) is not None:
        formatter = ipython.display_formatter.formatters["text/html"]
        try:
            formatter.lookup_by_type(pd.DataFrame)
        except KeyError:
            formatter.for_type(pd.DataFrame, formatted)
    return frame


def formatted(frame: pd.DataFrame) -> str | None:
    """Return the HTML of any DataFrame: by `table` if it is marked, else that of its class."""
    kind: Any = type(frame)
    usual = kind._repr_html_
    ours = (
        SOURCE.items() <= frame.attrs.items()
        and usual.__module__.startswith("pandas.")  # not replaced
        and pd.get_option("display.notebook_repr_html")
        and frame.index.name is frame.columns.name is None
        and pd.api.types.is_integer_dtype(frame.index)
        and len(frame.columns) > 0
        and all(isinstance(name, str) for name in frame.columns)
    )
    return table(frame) if ours else usual(frame)


def table(frame: pd.DataFrame, note: str = "") -> str:
    """Return the first rows as HTML, and below them what is not shown."""
    names = list(frame.columns)
    most = pd.get_option("display.max_rows") or len(frame)
    count = len(frame) if len(frame) <= most else pd.get_option("display.min_rows") or most
    head = frame.head(count)
    columns = [_values(name, head.iloc[:, n]) for n, name in enumerate(names)]
    rows = list(zip(*columns, strict=True))
    kept = _fitting(names, columns, with_values(names, rows))
    others = ", ".join(name for n, name in enumerate(names) if n not in kept)
    notes = [
        ("" if count == len(frame) else f"first {count} of ") + plural(len(frame), "row"),
        plural(len(names), "column"),
        f"not shown: {others}" if others else "",
        note,
    ]
    return html.table(
        ["", *(names[n] for n in kept)],
        [
            [Label(label), *(row[n] for n in kept)]
            for label, row in zip(head.index, rows, strict=True)
        ],
        caption=", ".join(notes[:2]) + "".join(f" · {each}" for each in notes[2:] if each),
        max_rows=count,
        fold=html.FOLD,
    )


def _fitting(
    names: Sequence[str], columns: Sequence[Sequence[object]], kept: list[int]
) -> list[int]:
    """Return the columns to show in order: all if they fit, else the most useful ones."""
    widths = {n: max([len(names[n]), *map(_width, columns[n])]) + 2 for n in kept}
    if sum(widths.values()) <= WIDTH:
        return kept
    left = WIDTH
    wrapped = sum(width >= MAX_TEXT + 2 for width in widths.values())
    fitting: list[int] = []
    for n in sorted(kept, key=lambda n: LAST.index(names[n]) + 1 if names[n] in LAST else 0):
        reserved = MORE_TEXT * wrapped if names[n] in LAST else 0
        if widths[n] + reserved <= left or not fitting:
            left -= widths[n]
            fitting.append(n)
    return fitting


def _width(value: object) -> int:
    text = value[:MAX_TEXT] if isinstance(value, str) else printable(value)
    return min(len(text), MAX_TEXT)


def _values(name: str, column: Any) -> list[object]:
    """Return the values of a column as they are shown; times at midnight as dates."""
    missing = column.isna()
    values: list[Any] = [
        None if none else value for none, value in zip(missing, column, strict=True)
    ]
    times = pd.api.types.is_datetime64_any_dtype(column)
    if times and all(value is None or value.time() == time() for value in values):
        return [None if value is None else value.date() for value in values]
    if name == "excerpt":
        return [value if is_missing(value) else Excerpt(value) for value in values]
    if pd.api.types.is_float_dtype(column):
        return _fixed(values)
    return [_displayed(value) for value in values]


def _fixed(values: Sequence[float | None]) -> list[object]:
    """Return numbers with the same number of decimals, if none of them needs an exponent."""
    numbers = [abs(value) for value in values if value is not None]
    if any("e" in f"{number:.6g}" for number in numbers):
        return [*values]
    exponents = [floor(log10(number)) for number in numbers if number and isfinite(number)] or [0]
    # Four digits of the largest number, one of the smallest, and hundredths.
    most = max(3 - max(exponents), -min(exponents), 2)
    texts = [f"{number:.{most}f}".rstrip("0") for number in numbers]
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [None if value is None else Fixed(value, decimals) for value in values]


def _displayed(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):  # pandas reads lists of Parquet files as arrays
        return _displayed(cast("Any", value).tolist())
    if value is None or (isinstance(value, SHOWN) and not isinstance(value, bool)):
        return value
    return str(value)
