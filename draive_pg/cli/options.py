"""What the commands have in common: where they connect to, what they ask, how they complain."""

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from draive_pg import Client

__all__ = (
    "AsJson",
    "Author",
    "Dsn",
    "Expected",
    "Message",
    "Schema",
    "Yes",
    "confirm",
    "one_line",
    "opened",
    "read_file",
    "without_passwords",
)

Dsn = Annotated[
    str | None,
    typer.Option(
        envvar="DRAIVE_PG_DSN",
        show_envvar=False,
        metavar="TEXT",
        help="The database: postgresql://user@host/name, or keywords 'host=… dbname=…'. "
        "Default: $DRAIVE_PG_DSN, else an embedded PostgreSQL of your own.",
    ),
]

Schema = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="The PostgreSQL schema of the tables. Default: the connection's search path.",
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

Expected = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER", help="Only if this is still the revision; 0 if there is none yet."
    ),
]

Author = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Who makes the change; kept with it.")
]

Message = Annotated[
    str | None, typer.Option("--message", "-m", metavar="TEXT", help="Why; kept with the change.")
]

Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can answer.")
]


@contextmanager
def opened(dsn: str | None, schema: str | None) -> Generator[Client]:
    """Connect."""
    with Client(dsn or None, schema=schema) as db:
        if not dsn:  # the embedded server is the user's own, who need not know of tables
            db.setup()
        yield db


def confirm(question: str, *, yes: bool) -> None:
    """Go on if the person at the terminal says so; where there is none, only with ``--yes``."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("there is nobody to ask: say --yes to do it.")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


def read_file(path: Path) -> bytes:
    """Return what a file holds, or standard input for ``-``."""
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def one_line(error: Exception) -> str:
    """Return what an error and its notes say, on one line."""
    said = (str(error), *getattr(error, "__notes__", ()))
    return "; ".join(" ".join(text.split()) for text in said)


def without_passwords(text: str) -> str:
    """Return a text without what addresses in it hold before an @ or after ``password=``."""
    return re.sub(r"://\S*@", "://…@", re.sub(r"(password\s*=\s*)('[^']*'|\S+)", r"\1…", text))
