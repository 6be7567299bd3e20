"""Output of the commands: tables, text or JSON, and the exit codes."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from pathlib import Path

import typer

from draive_pg.display.text import CONTROLS, escaped, plural
from draive_pg.models.conversations import Removal, Transfer

# Exit codes, besides 0 for success, 1 for failure and 2 for wrong usage.
DRIFT = 3  # a folder and the database differ
CONFLICT = 4  # both sides changed, or somebody wrote at the same time: nothing was done
NOT_RUNNING = 3  # the embedded server does not run; the code of pg_ctl and service managers

NAMES_SHOWN = 10  # of what was left out
COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def echo(*lines: str, err: bool = False, colour: str | None = None) -> None:
    """Print lines without control characters, which may come from stored data or a file."""
    for line in lines:
        text = escaped(line, keep="\t")
        typer.echo(typer.style(text, fg=colour) if colour else text, err=err)


def print_stored(text: str) -> None:
    """Print a stored text: unchanged to a file or a pipe, but to a terminal as `echo` does."""
    text = escaped(text, keep="\n\t") if sys.stdout.isatty() else text
    typer.echo(text, nl=False, color=True)  # else click removes escape sequences


def print_json(value: object) -> None:
    """Print a value as one JSON document on one line."""
    echo_json(json.dumps(value, default=_to_json, ensure_ascii=False))


def print_result(result: object, *lines: str, as_json: bool) -> None:
    """Print a result: as one JSON document, or as lines of text."""
    if as_json:
        print_json(result)
    else:
        echo(*lines)


def echo_json(text: str) -> None:
    """Print a JSON document without control characters."""
    typer.echo(CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def print_table(names: Sequence[str], rows: Sequence[Sequence[object]], empty: str = "") -> None:
    """Print a table, or, if it has no rows, a message to stderr."""
    if not rows:
        echo(empty, err=True)
        return
    from draive_pg.display import terminal

    terminal.show(names, rows)


def print_records(records: Sequence[object], *names: str, as_json: bool, empty: str = "") -> None:
    """Print records: as JSON with all fields, or as a table of the named ones."""
    if as_json:
        print_json(list(records))
        return
    rows = [[getattr(record, name) for name in names] for record in records]
    print_table(names, rows, empty)


def print_diff(lines: Iterable[str]) -> None:
    """Print the lines of a unified diff, coloured at a terminal."""
    from draive_pg.display import terminal

    colours = COLOURS if terminal.has_colours() else {}
    for line in lines:
        echo(line, colour=colours.get(line[:1]))


def summarize(result: Removal | Transfer) -> str:
    """Return how many memories, elements and snapshots were removed or transferred."""
    return (
        f"{result.memories:,} {'memory' if result.memories == 1 else 'memories'} "
        f"({plural(result.elements, 'element')}, "
        f"{plural(result.variables, 'snapshot')} of variables)"
    )


def counts_of(ignored: Mapping[str, int]) -> str:
    """Return the most frequent names of what was left out, with counts."""
    frequent = sorted(ignored.items(), key=lambda item: -item[1])[:NAMES_SHOWN]
    names = ", ".join(f"{name} ({count:,})" for name, count in frequent)
    more = len(ignored) - NAMES_SHOWN
    return f"{names}, and {more:,} more, which --json prints" if more > 0 else names


def message_of(error: Exception) -> str:
    """Return the message of an error and its notes on one line, without control characters."""
    texts = (str(error), *getattr(error, "__notes__", ()))
    return escaped("; ".join(" ".join(text.split()) for text in texts))


def _to_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        # Not asdict, which rebuilds the tuples of Records.
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
