"""``draive-pg doctor``: what is there, what is missing, and what to do about it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import cast

import psycopg
import typer

from draive_pg import Client, Diagnosis, DraivePGError
from draive_pg.cli.options import AsJson, Dsn, Schema, one_line
from draive_pg.cli.output import print_json, print_records, print_table, size_of
from draive_pg.cli.server import address
from draive_pg.database.endpoint import endpoint_of
from draive_pg.embedded import Server
from draive_pg.models import TableState

__all__ = ("doctor", "print_problems")


@dataclass(slots=True)
class Embedded:
    """Where the embedded server is, and whether it runs."""

    data: str
    log: str
    running: bool


@dataclass(slots=True)
class Found:
    """What was found, as far as it could be looked at."""

    embedded: Embedded | None = None
    pooler: bool | None = None
    database: Diagnosis | None = None
    problems: list[str] = field(default_factory=list[str])


def doctor(*, dsn: Dsn = None, schema: Schema = None, as_json: AsJson = False) -> None:
    """Say what is wrong with the database, and what to do.

    It makes nothing: no table, no server. Numbers of rows are PostgreSQL's estimates, bytes are
    exact and include indexes. An embedded server that does not run now is no problem, for it
    starts when it is needed; start it to look inside.

    The exit code is 0 if all is well, and 1 if there are problems.

    \b
    Examples:
      draive-pg doctor
      draive-pg doctor --dsn postgresql://ada@db.example.com/chats --schema team_a
      draive-pg doctor --json | jq .problems
    """
    found = Found()
    try:
        if server := None if dsn else Server():
            found.embedded = Embedded(str(server.data), str(server.log), server.running())
        if server is None or server.running():
            _look(dsn or address(cast("Server", server)), schema, found)
    except (DraivePGError, psycopg.Error) as error:
        found.problems.append(one_line(error))
    if as_json:
        print_json(found)
    else:
        _print(found)
    raise typer.Exit(1 if found.problems else 0)


def print_problems(problems: Sequence[str]) -> None:
    """Print what is wrong, each with what to do."""
    typer.echo("Problems:")
    typer.echo("\n".join(f"  - {problem}" for problem in problems))


def _look(address: str, schema: str | None, found: Found) -> None:
    """Ask a server; an embedded one is not joined, and so neither started nor stopped."""
    with Client(address, schema=schema) as db:
        found.database = db.diagnose()
    found.pooler = _pooled(address)
    found.problems += found.database.problems


def _pooled(address: str) -> bool:
    """Tell whether the process that answers is another than the one that let us in."""
    with closing(psycopg.connect(endpoint_of(address).conninfo())) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        return row is not None and row[0] != connection.info.backend_pid


def _print(found: Found) -> None:
    if embedded := found.embedded:
        state = "runs" if embedded.running else "does not run now; it starts when it is needed"
        typer.echo(f"The embedded server {state}: {embedded.data}")
    if found.database:
        _print_database(found.database, pooler=bool(found.pooler))
    if found.problems:
        typer.echo("")
        print_problems(found.problems)
    elif found.database:
        typer.echo("\nAll is well.")


def _print_database(found: Diagnosis, *, pooler: bool) -> None:
    kind = " (a standby)" if found.standby else " (read-only)" if found.read_only else ""
    behind = ", behind a transaction pooler: live=True hears nothing through it" if pooler else ""
    typer.echo(f"PostgreSQL {found.version}{kind}{behind}")
    typer.echo(f"  database {found.database}, {size_of(found.bytes)} in all")
    typer.echo(f"  schema   {found.schema or '(none)'}")
    typer.echo(f"  role     {found.role}\n")
    names = ("table", "rows (about)", "size", "the role may", "missing")
    print_table(names, [_row(table) for table in found.tables])
    if found.migrations:
        typer.echo("")
        print_records(found.migrations, "name", "state", "applied", as_json=False)
    listening = [f"{each.role} ({each.application}, {each.pid})" for each in found.listeners]
    typer.echo(f"\nListening for changes: {', '.join(listening) or 'nobody'}")


def _row(table: TableState) -> tuple[object, ...]:
    size = None if table.bytes is None else size_of(table.bytes)
    return (
        table.name,
        table.rows,
        size,
        " ".join(table.rights) or None,
        ", ".join(table.missing) or None,
    )
