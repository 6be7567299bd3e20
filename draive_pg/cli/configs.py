"""``draive-pg configs``: the snapshots of configurations."""

from pathlib import Path
from typing import Annotated, cast

import typer

from draive_pg import RevisionMissing
from draive_pg.cli.options import AsJson, Dsn, Expected, Schema, Yes, confirm, opened, read_file
from draive_pg.cli.output import print_json, print_records
from draive_pg.sync.formats import Configuration

__all__ = ("app",)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Configurations: their snapshots, and folders of them.

    Each definition of a configuration is a snapshot, a JSON object, and the newest holds.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 drift (of status and diff), 4 conflict: somebody
    else changed it meanwhile, and nothing was done.
    """,
)

Identifier = Annotated[
    str, typer.Argument(metavar="IDENTIFIER", help="The identifier of the configuration.")
]


@app.command("list")
def list_(*, dsn: Dsn = None, schema: Schema = None, as_json: AsJson = False) -> None:
    """List the configurations, each with its newest snapshot.

    \b
    Examples:
      draive-pg configs list
      draive-pg configs list --json | jq -r '.[].identifier'
    """
    with opened(dsn, schema) as db:
        found = db.configurations.list()
    columns = ("identifier", "revision", "created")
    print_records(found, *columns, as_json=as_json, empty="There are no configurations.")


@app.command()
def show(
    identifier: Identifier,
    revision: Annotated[
        int | None, typer.Argument(metavar="REVISION", help="Its number; default: the newest.")
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
) -> None:
    """Print a snapshot as JSON, its keys in order.

    \b
    Examples:
      draive-pg configs show limits
      draive-pg configs show limits 3 | jq .tokens
    """
    with opened(dsn, schema) as db:
        found = db.configurations.load_raw(identifier, revision=revision)
    if found is None:
        raise RevisionMissing(f"there is no configuration {identifier!r:.80}")
    typer.echo(Configuration.of(found, identifier).encode(".json").decode(), nl=False)


@app.command()
def history(
    identifier: Identifier, *, dsn: Dsn = None, schema: Schema = None, as_json: AsJson = False
) -> None:
    """List the snapshots of a configuration, the newest first.

    \b
    Examples:
      draive-pg configs history limits
      draive-pg configs history limits --json | jq '.[1].content'
    """
    with opened(dsn, schema) as db:
        found = db.configurations.history(identifier)
    empty = f"There is no configuration {identifier!r:.80}."
    print_records(found, "revision", "created", "content", as_json=as_json, empty=empty)
    raise typer.Exit(0 if found else 1)


@app.command()
def define(
    identifier: Identifier,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="JSON, or TOML in *.toml; - is stdin.")
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    value: Annotated[
        str | None, typer.Option(metavar="JSON", help="The JSON object, in place of a file.")
    ] = None,
    expected: Expected = None,
    as_json: AsJson = False,
) -> None:
    """Write a new snapshot of a configuration.

    Nothing is written where the newest one is the same.

    \b
    Examples:
      draive-pg configs define limits limits.json
      draive-pg configs define limits --value '{"tokens": 500}'
      draive-pg configs show limits | jq '.tokens = 500' | draive-pg configs define limits -
    """
    if (file is None) == (value is None):
        raise typer.BadParameter("give either a FILE (- for stdin) or --value.")
    if value is not None:
        read = Configuration.read(value.encode(errors="surrogateescape"), ".json", "--value")
    else:
        path = cast("Path", file)
        read = Configuration.read(read_file(path), path.suffix, str(path))
    with opened(dsn, schema) as db:
        defined = db.configurations.define(identifier, read.value, expected=expected)
    if as_json:
        print_json(defined)
    else:
        typer.echo(f"{identifier} is at revision {defined.revision} of {defined.created}")


@app.command()
def remove(
    identifier: Identifier, *, dsn: Dsn = None, schema: Schema = None, yes: Yes = False
) -> None:
    """Remove all snapshots of a configuration.

    The exit code is 1 if there were none.

    \b
    Examples:
      draive-pg configs remove limits
      draive-pg configs remove limits --yes
    """
    confirm(f"Remove all snapshots of {identifier!r:.80}?", yes=yes)
    with opened(dsn, schema) as db:
        count = db.configurations.remove(identifier)
    typer.echo(f"Removed {count} snapshot{'' if count == 1 else 's'} of {identifier!r:.80}.")
    raise typer.Exit(0 if count else 1)
