"""``draive-pg memories``: conversations, listed, looked at and found."""

from typing import Annotated

import typer

from draive_pg import MemoryMissing
from draive_pg.cli.options import AsJson, Dsn, Schema, opened
from draive_pg.cli.output import print_json, print_table, print_text, size_of
from draive_pg.cli.values import document, timestamp
from draive_pg.operations.conversations.listing import Order

__all__ = ("Identifier", "Prefix", "app")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Memories: conversations, looked at and found, kept and removed.

    Chat logs become memories by draive-pg import chat, and tables of what memories hold are written
    by draive-pg export; export and import here take memories as they are to another database.

    TIME is as 2026-01-31 or 2026-01-31T12:00+01:00; without a zone it is in UTC.
    """,
)

Identifier = Annotated[str, typer.Argument(metavar="IDENTIFIER", help="Which memory.")]
Prefix = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Only those whose identifiers begin with this.")
]


@app.command("list")
def list_(
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Prefix = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Written to at this time or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not written to at this time or later.")
    ] = None,
    order: Annotated[
        Order,
        typer.Option(metavar="ORDER", help="By identifier, created, last, elements or bytes."),
    ] = "identifier",
    descending: Annotated[
        bool, typer.Option("--descending", help="The largest or newest first.")
    ] = False,
    limit: Annotated[int, typer.Option(metavar="NUMBER", help="At most so many.")] = 100,
    offset: Annotated[int, typer.Option(metavar="NUMBER", help="After so many others.")] = 0,
    everything: Annotated[bool, typer.Option("--all", help="Without a limit.")] = False,
    as_json: AsJson = False,
) -> None:
    """List memories, how much they hold, and their times.

    Sizes are those of elements and variables as they are stored, compressed.

    \b
    Examples:
      draive-pg memories list --order last --descending --limit 20
      draive-pg memories list --prefix ada/ --since 2026-01-31
      draive-pg memories list --all --json | jq -r '.[].identifier'
    """
    times = (timestamp(since, "--since"), timestamp(until, "--until"))
    with opened(dsn, schema) as db:
        found = db.memories.list(
            prefix,
            since=times[0],
            until=times[1],
            order=order,
            descending=descending,
            limit=None if everything else limit,
            offset=offset,
        )
        shown = offset + len(found)
        full = not everything and len(found) == limit
        total = db.memories.count(prefix, since=times[0], until=times[1]) if full else shown
    if as_json:
        print_json(list(found))
    else:
        names = ("identifier", "elements", "variables", "size", "created", "last")
        rows = [
            (
                *(each.identifier, each.elements, each.variables),
                *(size_of(each.bytes), each.created, each.last),
            )
            for each in found
        ]
        print_table(names, rows, "There are no such memories.")
    if total > shown:
        typer.echo(f"{shown:,} of {total:,}; the next: --offset {shown}", err=True)


@app.command()
def show(
    identifier: Identifier,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    limit: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Only so many of the newest elements.")
    ] = None,
    html: Annotated[
        bool, typer.Option("--html", help="Print a page for a browser, with everything in full.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a memory as a transcript.

    It has who said what, variables, and tools, which are asked by -> and answer by <-; ~ is
    reasoning, and ! marks what is odd. JSON is the table of its elements, as Memory.log makes it.

    \b
    Examples:
      draive-pg memories show visit-1
      draive-pg memories show visit-1 --limit 20 | less
      draive-pg memories show visit-1 --html > visit-1.html
      draive-pg memories show visit-1 --json | jq -r '.[].text'
    """
    if html and as_json:
        raise typer.BadParameter("give either --html or --json.")
    with opened(dsn, schema) as db:
        memory = db.memory(identifier)
        shown = memory.show(limit)
        if not shown.exists:
            raise MemoryMissing(f"there is no memory {identifier!r:.80}")
        if as_json:
            log = memory.log().iloc[-len(shown) or None :]
            typer.echo(log.to_json(orient="records", date_format="iso", date_unit="us"))
        elif html:
            typer.echo(shown.to_html())
        else:
            print_text(str(shown))


@app.command()
def search(
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", help="Words that were said: 'bike -rental \"two of them\"'."
        ),
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    identifier: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="In this memory; can be repeated.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Only elements of input or of output.")
    ] = None,
    tool: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Of this tool; can be repeated.")
    ] = None,
    meta: Annotated[
        str | None, typer.Option(metavar="JSON", help="What the element's meta contains.")
    ] = None,
    variables: Annotated[
        str | None, typer.Option(metavar="JSON", help="What its memory's newest variables contain.")
    ] = None,
    error: Annotated[
        bool | None, typer.Option("--error/--no-error", help="With an error of a tool, or without.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Written at this time or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Written before this time.")
    ] = None,
    language: Annotated[
        str, typer.Option(metavar="NAME", help="Such as english, which finds other forms, too.")
    ] = "simple",
    limit: Annotated[int, typer.Option(metavar="NUMBER", help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Find elements by text, and by what is known of them.

    All that is given holds of what is found, the best first, else the newest. Texts are found in
    what user and model said, as web search engines find them. The exit code is 1 if nothing was
    found.

    \b
    Examples:
      draive-pg memories search 'refund or voucher -hotel'
      draive-pg memories search --tool find_flight --error --since 2026-01-31
      draive-pg memories search --variables '{"customer": "ada"}' --json | jq -r '.[].excerpt'
    """
    times = (timestamp(since, "--since"), timestamp(until, "--until"))
    documents = (document(meta, "--meta"), document(variables, "--variables"))
    with opened(dsn, schema) as db:
        found = db.memories.search(
            text,
            identifier=identifier,
            role=role,
            tool=tool,
            meta=documents[0],
            since=times[0],
            until=times[1],
            error=error,
            variables=documents[1],
            language=language,
            limit=limit,
        )
    if as_json:
        typer.echo(found.to_json(orient="records", date_format="iso", date_unit="us"))
    else:
        names = ("identifier", "position", "created", "role", "excerpt")
        rows = [[getattr(row, name) for name in names] for row in found.itertuples()]
        print_table(names, rows, "Nothing was found.")
    raise typer.Exit(0 if len(found) else 1)
