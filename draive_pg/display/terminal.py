"""Output of the commands: wrapped at a terminal, one line per row in a pipe."""

import sys
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from draive_pg.display.text import all_numbers, printable

UNLIMITED = 1_000_000  # columns, more than any row has
MIN_WIDTH = 8


def show(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table of rows."""
    console = Console(markup=False, emoji=False, highlight=False)
    if console.is_terminal:
        console.print(table(names, rows))
        return
    console.width = UNLIMITED
    plain = table(names, rows)
    plain.box = None
    with console.capture() as captured:
        console.print(plain)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def show_text(text: str) -> None:
    """Print text; at a terminal, long lines are wrapped at their indentation."""
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        sys.stdout.write(f"{text}\n")
        return
    for line in text.split("\n"):
        words = line.lstrip(" ")
        indent = " " * (len(line) - len(words))
        parts = Text(words).wrap(console, max(console.width - len(indent), MIN_WIDTH))
        sys.stdout.writelines(f"{indent}{part.plain.rstrip()}\n" for part in parts or (Text(),))


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table with numbers aligned to the right."""
    filled = [list(row) for row in rows]
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for index, name in enumerate(names):
        numbers = all_numbers(row[index] for row in filled)
        made.add_column(name, justify="right" if numbers else "left")
    for row in filled:
        made.add_row(*(Text(printable(value)) for value in row))
    return made
