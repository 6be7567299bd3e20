"""``draive-pg prompts``: looking at prompts, at their revisions and labels."""

from datetime import datetime
from typing import Annotated

import typer

from draive_pg.cli.options import AsJson, Dsn, Schema, document, opened, timestamp
from draive_pg.cli.output import print_diff, print_json, print_records
from draive_pg.sync.formats import Prompt

__all__ = ("Name", "Wanted", "app", "target")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Prompts: their revisions, their labels, and folders of them.

    Each definition of a prompt is a revision, and the newest holds. A label, such as production, is
    on one revision of a prompt and can be moved. REVISION is a number, a label, or a time with its
    zone as of which the newest is meant (2026-01-02T12:00Z).

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 drift (of status and diff), 4 conflict: somebody
    else changed it meanwhile, and nothing was done.
    """,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the prompt.")]
Wanted = Annotated[
    str | None,
    typer.Argument(metavar="REVISION", help="Number, label or time; default: the newest."),
]
COLUMNS = ("revision", "created", "labels", "author", "message")


@app.command("list")
def list_(*, dsn: Dsn = None, schema: Schema = None, as_json: AsJson = False) -> None:
    """List the prompts, each with its newest revision.

    \b
    Examples:
      draive-pg prompts list
      draive-pg prompts list --json | jq -r '.[].name'
    """
    with opened(dsn, schema) as db:
        found = db.instructions.list()
    names = ("name", *COLUMNS[:3], "description")
    print_records(found, *names, as_json=as_json, empty="There are no prompts.")


@app.command()
def show(
    name: Name,
    revision: Wanted = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    as_json: AsJson = False,
) -> None:
    """Print a prompt as its file.

    That is front matter, where there is any, and the text.

    \b
    Examples:
      draive-pg prompts show greeting
      draive-pg prompts show greeting production > greeting.md
      draive-pg prompts show greeting 3 --json | jq -r .content
    """
    with opened(dsn, schema) as db:
        found = db.instructions.revision(name, target(revision))
    if as_json:
        print_json(found)
    else:
        typer.echo(Prompt.of_revision(found).encode(".md").decode(), nl=False)


@app.command()
def history(
    name: Name,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    moves: Annotated[
        bool, typer.Option("--labels", help="Show the moves of its labels, not its revisions.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the revisions of a prompt, or the moves of its labels.

    The newest comes first.

    \b
    Examples:
      draive-pg prompts history greeting
      draive-pg prompts history greeting --labels
    """
    with opened(dsn, schema) as db:
        if moves:
            found = db.instructions.label_history(name)
            columns = ("label", "revision", "moved", "author", "message")
            print_records(found, *columns, as_json=as_json, empty=f"No moves of {name!r:.80}.")
        else:
            found = db.instructions.history(name)
            print_records(found, *COLUMNS, as_json=as_json, empty=f"There is no {name!r:.80}.")
    raise typer.Exit(0 if found else 1)


@app.command()
def compare(
    name: Name,
    before: Annotated[str, typer.Argument(metavar="REVISION", help="From this one.")],
    after: Wanted = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
) -> None:
    """Show what changed from one revision of a prompt to another.

    \b
    Examples:
      draive-pg prompts compare greeting production
      draive-pg prompts compare greeting 3 5
    """
    with opened(dsn, schema) as db:
        print_diff(str(db.instructions.diff(name, target(before), target(after))).splitlines())


@app.command()
def labels(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A prompt; default: all.")
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    as_json: AsJson = False,
) -> None:
    """List labels, where they are, and who moved them when.

    \b
    Examples:
      draive-pg prompts labels
      draive-pg prompts labels greeting --json
    """
    with opened(dsn, schema) as db:
        found = db.instructions.labels(name)
    columns = ("name", "label", "revision", "moved", "author", "message")
    print_records(found, *columns, as_json=as_json, empty="There are no labels.")


@app.command()
def search(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="In name, content, description or message."),
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    meta: Annotated[
        str | None, typer.Option(metavar="JSON", help='What meta must contain: \'{"lang": "en"}\'.')
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Not written before.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Written before.")] = None,
    author: Annotated[str | None, typer.Option(metavar="TEXT", help="Written by.")] = None,
    label: Annotated[str | None, typer.Option(metavar="LABEL", help="With this label.")] = None,
    current: Annotated[bool, typer.Option("--current", help="Only the newest of each.")] = False,
    limit: Annotated[int | None, typer.Option(metavar="NUMBER", help="At most so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find revisions of all prompts.

    Everything that is given holds of what is found.

    \b
    Examples:
      draive-pg prompts search refund --current
      draive-pg prompts search --meta '{"lang": "en"}'
      draive-pg prompts search --since 2026-01-01T00:00Z --author ada
    """
    with opened(dsn, schema) as db:
        found = db.instructions.search(
            text,
            meta=document(meta, "--meta"),
            since=timestamp(since, "--since"),
            until=timestamp(until, "--until"),
            author=author,
            label=label,
            current=current,
            limit=limit,
        )
    print_records(found, "name", *COLUMNS, as_json=as_json, empty="Nothing was found.")


def target(revision: str | None) -> int | str | datetime | None:
    if revision is None or not revision[:1].isdecimal():
        return revision
    return int(revision) if revision.isdecimal() else timestamp(revision, "the revision")
