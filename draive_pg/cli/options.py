"""Options and arguments that several commands share, and how their values are parsed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeAliasType, cast, get_args

import typer

from draive_pg import Client, FileInvalid
from draive_pg.cli.output import echo
from draive_pg.codec.json import reason
from draive_pg.codec.timestamps import check_timestamp
from draive_pg.database.errors import short_argument_errors
from draive_pg.frames.query import Role, Speaker
from draive_pg.operations.conversations.listing import Order

UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def parse_time(text: str) -> datetime:
    """Parse ISO 8601 text as Python's time arguments do; UTC unless it has an offset."""
    try:
        return cast("datetime", check_timestamp(text, "it"))  # None only for None
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None


def duration(text: str) -> timedelta:
    """Parse a number of days, hours or minutes: ``90d``, ``12h``, ``30m``."""
    # Six digits at most: more days exceed PostgreSQL's timestamps.
    if not (match := re.fullmatch(r"([0-9]{1,6})([dhm])", text)):
        raise typer.BadParameter(
            f"expected days, hours or minutes as 90d, 12h or 30m, not {text!r:.60}."
        )
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = cast("object", json.loads(text))
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"not JSON: {reason(error)}.") from error
    if not isinstance(value, dict):
        raise typer.BadParameter('expected a JSON object as {"name": "value"}.')
    return cast("dict[str, Any]", value)


def time_option(help_text: str) -> Any:
    """Return an option whose value is a point in time."""
    return typer.Option(parser=parse_time, metavar="TIME", help=help_text)


def json_option(help_text: str) -> Any:
    """Return an option whose value is a JSON object."""
    return typer.Option(parser=_json_object, metavar="JSON", help=help_text)


def choice_option(choices: TypeAliasType, help_text: str, *names: str) -> Any:
    """Return an option whose value is one of a Literal type."""
    metavar = "|".join(get_args(choices.__value__))
    return typer.Option(*names, metavar=metavar, help=help_text)


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
        metavar="NUMBER",
        help="Write only if this is still the current revision; 0: if there is none yet.",
    ),
]

Author = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Who makes the change; kept with it. Default: user.name of git, $USER, or the role.",
    ),
]

Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse templates that cannot be filled, not only warn.")
]

Message = Annotated[
    str | None, typer.Option("--message", "-m", metavar="TEXT", help="Why; kept with the change.")
]

Since = Annotated[datetime | None, time_option("Only from this time on (ISO 8601; else UTC).")]

Until = Annotated[datetime | None, time_option("Only before this time.")]

LastSince = Annotated[datetime | None, time_option("Last written to at this time or later.")]

LastUntil = Annotated[datetime | None, time_option("Last written to before this time.")]

Prefix = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Only identifiers that begin with this.")
]

MemoryOrder = Annotated[Order, choice_option(Order, "What to order by.")]

Descending = Annotated[bool, typer.Option("--descending", help="Largest or newest first.")]

Limit = Annotated[int, typer.Option(metavar="NUMBER", help="At most this many.")]

Everything = Annotated[bool, typer.Option("--all", help="Without a limit.")]

RoleOption = Annotated[Role | None, choice_option(Role, "Only elements of this role.")]

SpeakerOption = Annotated[Speaker | None, choice_option(Speaker, "Only elements of this speaker.")]

Memories = Annotated[
    list[str] | None, typer.Argument(metavar="IDENTIFIER", help="The memories; default: all.")
]

Yes = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Do not ask; required without a terminal."),
]


def connect(dsn: str | None, schema: str | None) -> Client:
    """Return a client for the values of the options."""
    with short_argument_errors:
        return Client(dsn, schema=schema)


@contextmanager
def opened(dsn: str | None, schema: str | None) -> Generator[Client]:
    """Connect to a database; an embedded one gets its tables first."""
    with connect(dsn, schema) as db:
        if dsn is None:
            db.setup()
        yield db


def target_of(db: Client) -> str:
    """Return the address of a client's database, as its repr shows it, and its schema."""
    return repr(db).removeprefix("Client(").removesuffix(")")


def author_of(db: Client, author: str | None) -> str | None:
    """Return the author of a change: as given, or else git's ``user.name``, ``$USER`` or the role.

    An empty author stands for none.
    """
    if author is not None:
        return author or None
    with suppress(OSError, subprocess.SubprocessError):
        command = ("git", "config", "--get", "user.name")
        found = subprocess.run(  # noqa: S603 - no shell
            command, capture_output=True, check=True, timeout=10
        )
        if name := found.stdout.decode(errors="replace").strip():
            return name
    if name := os.environ.get("USER"):
        return name
    role = re.search(r"\buser=(\S+)", target_of(db))
    return role[1] if role else None


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation, or exit; without a terminal, ``--yes`` is required."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("there is no terminal to ask for confirmation: add --yes.")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


def renamed[**P](command: Callable[P, None], old: str, new: str) -> Callable[P, None]:
    """Return a command under its old name, which names the new one."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        echo(f"draive-pg: draive-pg {old} is deprecated: write draive-pg {new}", err=True)
        command(*args, **kwargs)

    run.__doc__ = (
        f"Run draive-pg {new}, which replaces it.\n\n\b\nExamples:\n  draive-pg {old} FILE"
    )
    return run


def read_file(path: Path) -> bytes:
    """Return the content of a file, or standard input for ``-``."""
    if str(path) == "-":
        if content := sys.stdin.buffer.read():
            return content
        raise FileInvalid("standard input is empty; did the command before it fail?")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileInvalid(f"there is no file {str(path)!r:.200}") from None
