"""``draive-pg memories report``: write conversations to one web page."""

from pathlib import Path
from typing import Annotated

import typer

from draive_pg.cli.options import AsJson, Dsn, Schema, opened, timestamp
from draive_pg.cli.output import echo, print_json
from draive_pg.display.text import plural
from draive_pg.operations.conversations.listing import Order


def report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The web page, FILE.html.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only identifiers that begin with this.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Last written to at this time or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Last written to before this time.")
    ] = None,
    order: Annotated[
        Order,
        typer.Option(metavar="ORDER", help="By identifier, created, last, elements or bytes."),
    ] = "identifier",
    descending: Annotated[
        bool, typer.Option("--descending", help="Largest or newest first.")
    ] = False,
    limit: Annotated[int, typer.Option(metavar="NUMBER", help="At most this many.")] = 1000,
    everything: Annotated[bool, typer.Option("--all", help="Without a limit.")] = False,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title of the page.")] = (
        "Conversations"
    ),
    as_json: AsJson = False,
) -> None:
    """Write conversations to one web page that can be searched.

    The page needs no other file and makes no request. It shows what show prints. The file is
    replaced when it is complete.

    \b
    Examples:
      draive-pg memories report week.html --since 2026-01-26 --order last --descending
      draive-pg memories report ada.html --prefix ada/ --title "Visits of Ada"
    """
    first, end = timestamp(since, "--since"), timestamp(until, "--until")
    with opened(dsn, schema) as db:
        result = db.memories.report(
            file,
            prefix,
            order=order,
            descending=descending,
            limit=None if everything else limit,
            title=title,
            since=first,
            until=end,
        )
        full = not everything and result.memories == limit
        total = db.memories.count(prefix, since=first, until=end) if full else result.memories
    if as_json:
        print_json(result)
    else:
        echo(f"Wrote {plural(result.memories, 'conversation')} to {file}")
    if total > result.memories:
        echo(f"{result.memories:,} of {total:,}; --all or --limit writes more", err=True)
