"""``draive-pg memories``: conversations, listed and looked at, copied and removed."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from draive_pg.cli.options import AsJson, Dsn, Schema, Yes, confirm, opened
from draive_pg.cli.printing import print_table

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ("app",)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Conversations: listed and looked at, copied and removed.",
)

Identifier = Annotated[str, typer.Argument(metavar="IDENTIFIER", help="Which memory.")]


@app.command("list")
def list_(*, dsn: Dsn = None, schema: Schema = None, as_json: AsJson = False) -> None:
    """List the memories: how much each holds, and of when it is.

    \b
    Examples:
      draive-pg memories list
      draive-pg memories list --json | jq -r '.[].identifier'
    """
    with opened(dsn, schema) as db:
        found = db.frames.sessions()
    _print(found, "identifier", "elements", "turns", "tool_calls", "last", as_json=as_json)


@app.command()
def show(
    identifier: Identifier, *, dsn: Dsn = None, schema: Schema = None, as_json: AsJson = False
) -> None:
    """Print all that a memory holds, an element a row; the exit code is 1 if that is nothing.

    \b
    Examples:
      draive-pg memories show visit-1
      draive-pg memories show visit-1 --json | jq -r '.[].text'
    """
    with opened(dsn, schema) as db:
        found = db.memory(identifier).log()
    _print(found, "position", "created", "role", "tools", "text", as_json=as_json)
    raise typer.Exit(0 if len(found) else 1)


@app.command()
def fork(
    identifier: Identifier,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The identifier of the copy.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
) -> None:
    """Copy a memory, its times included, to an identifier that has none.

    \b
    Examples:
      draive-pg memories fork visit-1 visit-1-again
    """
    with opened(dsn, schema) as db:
        db.memory(identifier).fork(new)
    typer.echo(f"Copied {identifier!r:.80} to {new!r:.80}.")


@app.command()
def remove(
    identifiers: Annotated[list[str], typer.Argument(metavar="IDENTIFIER", help="Which memories.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    yes: Yes = False,
) -> None:
    """Remove memories with all they hold, all or none; the exit code is 1 if one was not there.

    \b
    Examples:
      draive-pg memories remove visit-1
      draive-pg memories remove visit-1 visit-2 --yes
    """
    count = len(identifiers)
    which = f"memory {identifiers[0]!r:.80}" if count == 1 else f"{count} memories"
    confirm(f"Remove {which} with all it holds?", yes=yes)
    with opened(dsn, schema) as db, db.transaction():
        missing = [each for each in identifiers if not db.memories.remove(each)]
    typer.echo(f"Removed {count - len(missing)} of {count}.")
    for each in missing:
        typer.echo(f"draive-pg: there was no memory {each!r:.80}", err=True)
    raise typer.Exit(1 if missing else 0)


def _print(found: "DataFrame", *names: str, as_json: bool) -> None:
    if as_json:
        typer.echo(found.to_json(orient="records", date_format="iso", date_unit="us"))
        return
    rows = cast(list[list[object]], found[list(names)].astype(object).to_numpy().tolist())
    print_table(names, rows, "There is nothing.")
