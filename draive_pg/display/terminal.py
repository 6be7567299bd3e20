"""Tables and text for people at a terminal; in a pipe a row is a line, however long."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from numbers import Real
from typing import cast

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ("printable", "show", "show_text", "table")

PIPED = 1_000_000  # columns: more than any row has
MOST_NARROW = 8


def show(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table of rows."""
    console = Console(markup=False, emoji=False, highlight=False)
    if console.is_terminal:
        console.print(table(names, rows))
        return
    console.width = PIPED
    plain = table(names, rows)
    plain.box = None
    with console.capture() as captured:
        console.print(plain)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def show_text(text: str) -> None:
    """Print text, whose long lines go on at a terminal where they are indented to."""
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        sys.stdout.write(f"{text}\n")
        return
    for line in text.split("\n"):
        words = line.lstrip(" ")
        indent = " " * (len(line) - len(words))
        parts = Text(words).wrap(console, max(console.width - len(indent), MOST_NARROW))
        sys.stdout.writelines(f"{indent}{part.plain.rstrip()}\n" for part in parts or (Text(),))


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Make a table; numbers stand to the right."""
    filled = [list(row) for row in rows]
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for index, name in enumerate(names):
        column = [row[index] for row in filled if row[index] is not None]
        numbers = bool(column) and all(map(_is_number, column))
        made.add_column(name, justify="right" if numbers else "left")
    for row in filled:
        made.add_row(*(Text(printable(value)) for value in row))
    return made


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def printable(value: object) -> str:
    """Return a value as a person reads it, without what a terminal would obey."""
    if value is None or value != value:  # noqa: PLR0124 - pandas' NaN and NaT
        return "-"
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        case list() | tuple():
            return ", ".join(map(printable, cast("Sequence[object]", value))) or "-"
        case Mapping():
            text = json.dumps(value, ensure_ascii=False, sort_keys=True)
        case _:
            text = str(value)
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
