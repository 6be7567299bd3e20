"""``draive-pg doctor``: inspect a database, and say how to fix its problems."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Annotated

import psycopg
import typer

from draive_pg import Client, Diagnosis, DraivePGError
from draive_pg.cli.options import AsJson, Dsn, Schema
from draive_pg.cli.output import (
    echo,
    message_of,
    print_json,
    print_records,
    print_table,
)
from draive_pg.database.endpoint import EmbeddedEndpoint, endpoint_of
from draive_pg.database.errors import short_argument_errors
from draive_pg.display.text import format_size, plural
from draive_pg.embedded import Server
from draive_pg.models.admin import TableState


@dataclass(slots=True)
class Embedded:
    """The embedded server."""

    data: str
    log: str
    running: bool


@dataclass(slots=True)
class Report:
    """The results of the inspection."""

    embedded: Embedded | None = None
    pooler: bool | None = None
    database: Diagnosis | None = None
    problems: list[str] = field(default_factory=list[str])


def doctor(
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    replica: Annotated[
        str | None, typer.Option(metavar="DSN", help="A streaming replica to inspect, too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Inspect a database, and say how to fix its problems.

    Nothing is changed: no table is created, no server started. Numbers of rows are estimates of
    PostgreSQL; sizes are exact and include indexes. A stopped embedded server is not a problem, as
    it starts when needed; start it to inspect its database.

    The exit code is 0 if all is well, and 1 if there are problems.

    \b
    Examples:
      draive-pg doctor
      draive-pg doctor --dsn postgresql://ada@db.example.com/chats --schema team_a
      draive-pg doctor --json | jq .problems
    """
    report = Report()
    embedded = _is_embedded(dsn)
    try:
        if embedded:
            server = Server()
            report.embedded = Embedded(str(server.data), str(server.log), server.running())
            dsn = server.conninfo() if report.embedded.running else None
        if dsn is not None:
            _inspect(dsn, schema, replica, report)
    except (DraivePGError, psycopg.Error) as error:
        report.problems.append(message_of(error))
    if as_json:
        print_json(report)
    else:
        _print(report)
    raise typer.Exit(1 if report.problems else 0)


def print_problems(problems: Sequence[str]) -> None:
    """Print problems, each with its solution."""
    echo("Problems:", *(f"  - {problem}" for problem in problems))


def _is_embedded(dsn: str | None) -> bool:
    with short_argument_errors:
        return isinstance(endpoint_of(dsn), EmbeddedEndpoint)


def _inspect(address: str, schema: str | None, replica: str | None, report: Report) -> None:
    """Inspect a server by its address, so that an embedded one is neither started nor stopped."""
    with Client(address, schema=schema, replica=replica) as db:
        report.database = db.diagnose()
    report.pooler = _is_pooled(address)
    report.problems += report.database.problems


def _is_pooled(address: str) -> bool:
    """Return whether queries run in another backend than the one that accepted the connection."""
    with closing(psycopg.connect(endpoint_of(address).conninfo())) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        return row is not None and row[0] != connection.info.backend_pid


def _print(report: Report) -> None:
    if embedded := report.embedded:
        state = "runs" if embedded.running else "does not run now; it starts when it is needed"
        echo(f"The embedded server {state}: {embedded.data}")
        if not embedded.running:
            echo("To inspect its database, start it: draive-pg server start")
    if report.database:
        _print_database(report.database, pooler=bool(report.pooler))
    if report.problems:
        echo("")
        print_problems(report.problems)
    elif report.database:
        echo("", "All is well.")


def _print_database(found: Diagnosis, *, pooler: bool) -> None:
    kind = " (a standby)" if found.standby else " (read-only)" if found.read_only else ""
    behind = ", behind a transaction pooler: live=True gets no notifications" if pooler else ""
    echo(f"PostgreSQL {found.version}{kind}{behind}")
    echo(f"  database {found.database}, {format_size(found.bytes)} in all")
    echo(f"  schema   {found.schema or '(none)'}")
    echo(f"  draive   {found.draive or '(several)'}")
    echo(f"  role     {found.role}", "")
    names = ("table", "rows (about)", "size", "the role may", "missing")
    print_table(names, [_row(table) for table in found.tables])
    if found.migrations:
        echo("")
        print_records(found.migrations, "name", "state", "applied", as_json=False)
    if found.views:
        places = Counter(each.schema for each in found.views if each.state != "missing")
        counts = [f"{plural(number, 'view')} in {place}" for place, number in places.items()]
        echo("", f"Views of the frames: {', '.join(counts)}")
    listening = [f"{each.role} ({each.application}, {each.pid})" for each in found.listeners]
    echo("", f"Listening for changes: {', '.join(listening) or 'nobody'}")


def _row(table: TableState) -> tuple[object, ...]:
    size = None if table.bytes is None else format_size(table.bytes)
    return (
        table.name,
        table.rows,
        size,
        " ".join(table.rights) or None,
        ", ".join(table.missing) or None,
    )
