"""Tables and texts laid out for a terminal; one line per row in a pipe."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from draive_pg.display.text import (
    MAX_WIDTH,
    aligned,
    all_numbers,
    printable,
    whole_columns,
    width_of,
)

MIN_WIDTH = 8  # of a column whose text is wrapped
GAP = 3  # between the columns of a table


def has_colours() -> bool:
    """Return whether stdout is a terminal that should show colours."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and sys.stdout.isatty()


def show(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; a terminal that is too narrow gets a line per value instead."""
    filled = [list(row) for row in rows]
    columns = list(zip(*filled, strict=True))
    cells = [[printable(value) for value in row] for row in filled]
    widths = [max(map(width_of, column)) for column in zip(names, *cells, strict=True)]
    if not sys.stdout.isatty():
        widths = [min(width, MAX_WIDTH) for width in widths]
        lines = aligned([names, *cells], widths, list(map(all_numbers, columns)))
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return
    whole = whole_columns(columns)
    least = [w if keep else min(w, MIN_WIDTH) for w, keep in zip(widths, whole, strict=True)]
    console = _console()
    if sum(least) + GAP * (len(least) - 1) <= console.width:
        console.print(table(names, filled))
        return
    label = max(map(len, names)) + 2
    for number, row in enumerate(cells):
        if number:
            sys.stdout.write("\n")
        for name, cell in zip(names, row, strict=True):
            sys.stdout.writelines(
                f"{line}\n" for line in _wrapped(console, name.ljust(label), cell)
            )


def wrapped(text: str) -> str:
    """Return text for stdout; at a terminal, long lines are wrapped at their indentation."""
    if sys.stdout is None or not sys.stdout.isatty():
        return text
    console = _console()
    lines: list[str] = []
    for line in text.split("\n"):
        words = line.lstrip(" ")
        lines += _wrapped(console, " " * (len(line) - len(words)), words)
    return "\n".join(lines)


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table; the first column, numbers and times are not wrapped."""
    filled = [list(row) for row in rows]
    columns = [[row[n] for row in filled] for n in range(len(names))]
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name, column, whole in zip(names, columns, whole_columns(columns), strict=True):
        justify = "right" if all_numbers(column) else "left"
        made.add_column(name, justify=justify, no_wrap=whole, overflow="fold")
    for row in filled:
        made.add_row(*(Text(printable(value)) for value in row))
    return made


def _console() -> Console:
    width = shutil.get_terminal_size().columns  # rich takes 80 if TERM is dumb
    return Console(markup=False, emoji=False, highlight=False, width=width, height=25)


def _wrapped(console: Console, head: str, text: str) -> list[str]:
    """Return text after a head as lines, wrapped at the width of the head."""
    parts = Text(text).wrap(console, max(console.width - len(head), MIN_WIDTH)) or (Text(),)
    indent = " " * len(head)
    return [
        f"{indent if number else head}{part.plain}".rstrip() for number, part in enumerate(parts)
    ]
