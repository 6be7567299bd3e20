"""``draive-pg memories annotate``, ``annotations`` and ``unannotate``."""

from typing import Annotated

import typer

from draive_pg.cli.options import (
    AsJson,
    Dsn,
    Everything,
    Limit,
    Memories,
    Prefix,
    Schema,
    Since,
    Until,
    author_of,
    opened,
)
from draive_pg.cli.output import echo, print_records, print_result

Identifier = Annotated[str, typer.Argument(metavar="IDENTIFIER", help="The memory.")]


def annotate(
    identifier: Identifier,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What is judged: helpful.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    position: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="The element, numbered as in show; default: all."),
    ] = None,
    score: Annotated[float | None, typer.Option(metavar="NUMBER", help="The score.")] = None,
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="A comment.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A tag; can be repeated.")
    ] = None,
    author: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Who judges. Default: user.name of git, $USER, or the role."
        ),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", metavar="TEXT", help="Replaces an annotation with the same id."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Annotate a memory or an element: score, comment, tags.

    \b
    Examples:
      draive-pg memories annotate visit-1 resolved --score 1
      draive-pg memories annotate visit-1 helpful --position 3 --comment "wrong gate" --tag gate
    """
    with opened(dsn, schema) as db:
        added = db.annotations.add(
            identifier,
            position,
            name=name,
            score=score,
            comment=comment,
            tags=tag or (),
            author=author_of(db, author),
            id=id_,
        )
    print_result(added, f"Annotated {identifier!r:.80}: id {added.id}", as_json=as_json)


def annotations(
    identifiers: Memories = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Prefix = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """List annotations by memory and position.

    \b
    Examples:
      draive-pg memories annotations visit-1
      draive-pg memories annotations --prefix ada/ --all --json | jq '.[].score'
    """
    with opened(dsn, schema) as db:
        found = db.annotations.list(
            identifiers or None,
            prefix=prefix,
            since=since,
            until=until,
            limit=None if everything else limit,
        )
    names = ("identifier", "position", "name", "score", "comment", "tags", "author", "id")
    print_records(found, *names, as_json=as_json, empty="There are no such annotations.")
    if found.truncated:
        echo(f"the first {limit:,}, there are more: --all or --limit shows more", err=True)


def unannotate(
    identifier: Identifier,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="The annotations.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
) -> None:
    """Remove annotations of a memory.

    The exit code is 1 if one does not exist; the others are removed nevertheless.

    \b
    Examples:
      draive-pg memories unannotate visit-1 judge-2/resolved
    """
    with opened(dsn, schema) as db:
        removed = db.annotations.remove(identifier, ids)
    echo(f"Removed {removed} of {len(ids)}.")
    raise typer.Exit(0 if removed == len(ids) else 1)
