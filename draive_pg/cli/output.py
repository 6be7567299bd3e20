"""How commands answer: with a table for people, or with JSON for scripts."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path

import typer

from draive_pg.display.wording import counted
from draive_pg.operations.conversations.removal import Removal
from draive_pg.operations.conversations.transfer import Transfer

__all__ = (
    "CONFLICT",
    "DRIFT",
    "NOT_RUNNING",
    "held",
    "print_diff",
    "print_json",
    "print_records",
    "print_table",
    "print_text",
    "size_of",
)

# Exit codes, besides 0 for success, 1 for failure and 2 for wrong usage.
DRIFT = 3  # a folder and the database differ
CONFLICT = 4  # both sides changed, or somebody wrote at the same time: nothing was done
NOT_RUNNING = 3  # the embedded server does not run; as of pg_ctl and service managers

KIBI = 1024

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def print_json(value: object) -> None:
    """Print a value as one JSON document, on one line."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def print_table(names: Sequence[str], rows: Sequence[Sequence[object]], empty: str = "") -> None:
    """Print rows for people; where there are none, what to say of it goes to stderr."""
    if not rows:
        typer.echo(empty, err=True)
        return
    from draive_pg.display import terminal

    terminal.show(names, rows)


def print_records(records: Sequence[object], *names: str, as_json: bool, empty: str = "") -> None:
    """Print records: all they hold as JSON, or the named members as a table."""
    if as_json:
        print_json(list(records))
        return
    rows = [[getattr(record, name) for name in names] for record in records]
    print_table(names, rows, empty)


def print_diff(lines: Iterable[str]) -> None:
    """Print the lines of a unified diff, in colours at a terminal."""
    from draive_pg.display.text import escaped

    for line in lines:
        text = "\t".join(map(escaped, line.split("\t")))
        typer.secho(text, fg=COLOURS.get(line[:1]))


def print_text(text: str) -> None:
    """Print text of many lines."""
    from draive_pg.display import terminal

    terminal.show_text(text)


def held(found: Removal | Transfer) -> str:
    """Return how many memories were removed or written, and how much they hold."""
    return (
        f"{found.memories:,} {'memory' if found.memories == 1 else 'memories'} "
        f"({counted(found.elements, 'element')}, "
        f"{counted(found.variables, 'snapshot')} of variables)"
    )


def size_of(size: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < KIBI:
            return f"{size:.0f} {unit}" if size == int(size) else f"{size:.1f} {unit}"
        size /= KIBI
    return f"{size:,.1f} TB"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        # Not asdict, which would make tables of records anew.
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} is not written as JSON")
