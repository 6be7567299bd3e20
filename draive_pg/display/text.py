"""Plain text for terminals: values, and tables cut to the width of the terminal."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from numbers import Real
from typing import cast
from unicodedata import combining, east_asian_width

MAX_ROWS = 60
MAX_WIDTH = 60  # columns of the terminal for one column of a table
MIN_WIDTH = 16
MAX_COMPLETE = 4  # columns of a table that shows those without values, too
EMPTY: tuple[object, ...] = (None, "", (), [], {})
MISSING = "-"
GAP = "  "

# Control characters, bidirectional overrides, line separators, and lone surrogates.
CONTROLS = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
KIBI = 1024

LINES = "\n\t"  # controls that a text of several lines keeps

# Whitespace is matched from its start only, as otherwise each of its lines is tried to its end.
INDENTATION = re.compile(r"(?<=[{\[])\n\s*|(?<!\s)\n\s*+(?=[}\]])")


class Size(int):
    """A number of bytes, which is shown with a unit."""


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "", width: int = 0
) -> str:
    """Return an aligned table of at most 60 rows, no line wider than the terminal.

    If it is too wide, texts are cut, then later columns are left out; the first column is cut last.

    Parameters
    ----------
    columns : Sequence[str]
        Names of the columns.
    rows : Iterable[Sequence[object]]
        Values by row; numbers are aligned to the right.
    caption : str
        Line below the table.
    width : int
        Maximum width of a line; 0 for that of the terminal.
    """
    values = [list(row) for row in rows]
    kept = with_values(columns, values)
    shown = [[row[n] for n in kept] for row in values[:MAX_ROWS]]
    cells = [[columns[n] for n in kept], *([_cell(value) for value in row] for row in shown)]
    by_column = [[row[n] for row in shown] for n in range(len(kept))]
    widths = _fitted(
        [max(map(width_of, column)) for column in zip(*cells, strict=True)],
        whole_columns(by_column),
        width or shutil.get_terminal_size().columns,
    )
    fitted = ([_cut(cell, limit) for cell, limit in zip(row, widths, strict=True)] for row in cells)
    lines = aligned(fitted, widths, list(map(all_numbers, by_column)))
    notes = [f"{len(values) - MAX_ROWS:,} more rows; to_df() has all"] if values[MAX_ROWS:] else []
    return "\n".join([*lines, *filter(None, [*notes, caption])])


def aligned(
    rows: Iterable[Sequence[str]], widths: Sequence[int], right: Sequence[bool]
) -> Iterator[str]:
    """Yield each row as a line of aligned columns, without those of width 0."""
    for row in rows:
        cells = zip(row, widths, right, strict=True)
        yield GAP.join(
            _padded(cell, width, right=number) for cell, width, number in cells if width
        ).rstrip()


def whole_columns(columns: Iterable[Sequence[object]]) -> list[bool]:
    """Return which columns are not cut if a table is too wide: the first, numbers and times."""
    return [
        not number or all_numbers(column) or any(isinstance(value, datetime) for value in column)
        for number, column in enumerate(columns)
    ]


def with_values(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[int]:
    """Return the indices of the columns to show: all of a few, else those with a value."""
    every = list(range(len(columns)))
    if len(columns) <= MAX_COMPLETE or not rows:
        return every
    return [n for n in every if any(row[n] not in EMPTY for row in rows)]


def shared_columns(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Mapping[str, str]:
    """Return the columns of a wide table that have the same short value in all rows, as text."""
    if len(columns) <= MAX_COMPLETE or len(rows) < 2:  # noqa: PLR2004
        return {}
    first = dict(zip(columns, rows[0], strict=True))
    shared = {
        name: printable(first[name])
        for n, name in enumerate(columns)
        if first[name] not in EMPTY and all(row[n] == first[name] for row in rows)
    }
    short = {name: value for name, value in shared.items() if len(value) <= MAX_WIDTH}
    return short if len(short) < len(columns) else {}


def printable(value: object) -> str:
    """Return a value on one line, with control characters as escape sequences."""
    if is_missing(value):
        return MISSING
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return _number(value)
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        case list() | tuple():
            return ", ".join(map(printable, cast("Sequence[object]", value)))
        case Mapping():
            return escaped(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))
        case _:
            return escaped(str(value))


def is_missing(value: object) -> bool:
    """Return whether a value is None, NaN, NaT, or an empty text or collection."""
    if isinstance(value, str | Sequence | Mapping):
        return not value
    return value is None or (isinstance(value, Real | datetime) and value != value)  # noqa: PLR0124


def escaped(text: str, *, keep: str = "") -> str:
    """Return a text with control characters as escape sequences, except those to keep."""
    return CONTROLS.sub(
        lambda match: match[0] if match[0] in keep else match[0].encode("unicode_escape").decode(),
        text,
    )


def format_size(size: float) -> str:
    """Return a number of bytes with a unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < KIBI:
            return f"{size:.0f} {unit}" if size == int(size) else f"{size:.1f} {unit}"
        size /= KIBI
    return f"{size:,.1f} TB"


def plural(number: int, noun: str) -> str:
    """Return a number and a noun: ``1 element``, ``2,000 elements``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(value: timedelta) -> str:
    """Return a duration in its two largest units: ``2 d 3 h``."""
    left = int(value.total_seconds())
    parts: list[str] = []
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= seconds or parts:
            number, left = divmod(left, seconds)
            parts.append(f"{number} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def json_text(value: object, indent: int | None = None) -> str:
    """Return a value as JSON, not limited to ASCII."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def one_line(text: str) -> str:
    """Return a text with all whitespace as single spaces, and indented JSON as compact."""
    return " ".join(INDENTATION.sub("", text).split())


def all_numbers(values: Iterable[object]) -> bool:
    """Return whether a column holds numbers only, which are aligned to the right."""
    present = [value for value in values if value is not None]
    return bool(present) and all(
        isinstance(value, Real) and not isinstance(value, bool) for value in present
    )


def _fitted(widths: Sequence[int], whole: Sequence[bool], total: int) -> list[int]:
    """Return the widths of the columns that fit in a line; 0 for those that do not."""
    fitted = list(widths)
    while (over := sum(width + len(GAP) for width in fitted if width) - len(GAP) - total) > 0:
        texts = [n for n, width in enumerate(fitted) if width and not whole[n]]
        widest = max(texts, key=fitted.__getitem__, default=0)
        if texts and fitted[widest] > MIN_WIDTH:
            fitted[widest] -= 1
        elif rest := [n for n, width in enumerate(fitted) if width and n]:
            fitted[rest[-1]] = 0
        else:
            fitted[0] = max(fitted[0] - over, MIN_WIDTH)
            break
    return fitted


def _number(value: float) -> str:
    if isinstance(value, Size):
        return format_size(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def _cell(value: object) -> str:
    return _cut(printable(value[: MAX_WIDTH + 1] if isinstance(value, str) else value), MAX_WIDTH)


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - width_of(text))
    return space + text if right else text + space


def _cut(text: str, width: int) -> str:
    if width_of(text[: width + 1]) <= width:
        return text
    kept = text[:width]
    while kept and width_of(kept) >= width:
        kept = kept[:-1]
    return f"{kept}…"


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
