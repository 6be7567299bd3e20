"""``draive-pg memories report``: write conversations to one web page."""

from pathlib import Path
from typing import Annotated

import typer

from draive_pg.cli.options import (
    AsJson,
    Descending,
    Dsn,
    Everything,
    LastSince,
    LastUntil,
    Limit,
    MemoryOrder,
    Prefix,
    Schema,
    opened,
)
from draive_pg.cli.output import echo, print_result
from draive_pg.display.text import plural


def report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The web page, FILE.html.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Prefix = None,
    since: LastSince = None,
    until: LastUntil = None,
    order: MemoryOrder = "identifier",
    descending: Descending = False,
    limit: Limit = 1000,
    everything: Everything = False,
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
    with opened(dsn, schema) as db:
        result = db.memories.report(
            file,
            prefix,
            order=order,
            descending=descending,
            limit=None if everything else limit,
            title=title,
            since=since,
            until=until,
        )
        full = not everything and result.memories == limit
        total = db.memories.count(prefix, since=since, until=until) if full else result.memories
    text = f"Wrote {plural(result.memories, 'conversation')} to {file}"
    print_result(result, text, as_json=as_json)
    if total > result.memories:
        echo(f"{result.memories:,} of {total:,}; --all or --limit writes more", err=True)
