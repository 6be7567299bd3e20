"""What the commands have in common: where they connect to, and how they complain."""

import re
from typing import Annotated

import typer

__all__ = ("Dsn", "Schema", "one_line", "without_passwords")

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


def one_line(error: Exception) -> str:
    """Return what an error and its notes say, on one line."""
    said = (str(error), *getattr(error, "__notes__", ()))
    return "; ".join(" ".join(text.split()) for text in said)


def without_passwords(text: str) -> str:
    """Return a text without what addresses in it hold before an @ or after ``password=``."""
    return re.sub(r"://\S*@", "://…@", re.sub(r"(password\s*=\s*)('[^']*'|\S+)", r"\1…", text))
