"""``draive-pg memories fork|rename|remove|prune|erase``: copies, names, and what goes."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from draive_pg.cli.memories import Identifier, Prefix
from draive_pg.cli.options import AsJson, Dsn, Schema, Yes, confirm, opened
from draive_pg.cli.output import held, print_json
from draive_pg.cli.values import document, duration
from draive_pg.operations.conversations.removal import Removal

__all__ = ("app",)

app = typer.Typer()

MOST_NAMED = 20  # identifiers that people are shown of what goes

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
]


@app.command()
def fork(
    identifier: Identifier,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The identifier of the copy.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    position: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Of the last element to copy, as show has it."),
    ] = None,
) -> None:
    """Copy a memory, or its beginning, with its times.

    There must be no memory of the new identifier.

    \b
    Examples:
      draive-pg memories fork visit-1 visit-1-again
      draive-pg memories fork visit-1 what-if --position 4
    """
    with opened(dsn, schema) as db:
        db.memory(identifier).fork(new, position=position)
    typer.echo(f"Copied {identifier!r:.80} to {new!r:.80}.")


@app.command()
def rename(
    identifier: Identifier,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new identifier.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
) -> None:
    """Give a memory another identifier, which no other has.

    \b
    Examples:
      draive-pg memories rename visit-1 ada/visit-1
    """
    with opened(dsn, schema) as db:
        db.memory(identifier).rename(new)
    typer.echo(f"Renamed {identifier!r:.80} to {new!r:.80}.")


@app.command()
def remove(
    identifiers: Annotated[list[str], typer.Argument(metavar="IDENTIFIER", help="Which memories.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    yes: Yes = False,
) -> None:
    """Remove memories with all they hold.

    The exit code is 1 if one was not there; the others are removed then, too.

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


@app.command()
def prune(
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Not written to for so long: 90d, 12h or 30m."),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Spare so many of those last written to."),
    ] = None,
    prefix: Prefix = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove old memories, or all but the newest.

    How old one is counts from when it was last written to. They go some at a time, so writers need
    not wait, and it can be interrupted and repeated. With --prefix the others are neither removed
    nor counted by --keep. It says what would go, and asks; where nobody can answer, it takes --yes.

    \b
    Examples:
      draive-pg memories prune --older-than 90d --dry-run
      draive-pg memories prune --older-than 90d --keep 1000 --yes
      draive-pg memories prune --keep 10 --prefix ada/
    """
    age = duration(older_than, "--older-than")
    if age is None and keep is None:
        raise typer.BadParameter("say which: --older-than, --keep or both.")
    with opened(dsn, schema) as db:
        removing = partial(db.memories.prune, age, keep=keep, prefix=prefix)
        _carry_out(removing, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
def erase(
    identifiers: Annotated[
        list[str] | None, typer.Argument(metavar="IDENTIFIER", help="Which memories.")
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Prefix = None,
    variables: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="What their variables contain, or contained once."),
    ] = None,
    meta: Annotated[
        str | None, typer.Option(metavar="JSON", help="What the meta of an element contains.")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove all memories of a person, in one transaction.

    All that is given holds of what is removed. It says what that would be, and removes it if you
    say so then, or with --yes. What it does not reach, such as files, backups and what others say
    of the person, is yours to look after.

    \b
    Examples:
      draive-pg memories erase --prefix ada/
      draive-pg memories erase --variables '{"customer": "ada"}' --yes
    """
    described = {
        "variables": document(variables, "--variables"),
        "meta": document(meta, "--meta"),
    }
    if not identifiers and prefix is None and not any(map(bool, described.values())):
        raise typer.BadParameter("say which: IDENTIFIER, --prefix, --variables or --meta.")
    with opened(dsn, schema) as db:
        removing = partial(db.memories.erase, identifiers or None, prefix=prefix, **described)
        _carry_out(removing, dry_run=dry_run, yes=yes, as_json=as_json)


def _carry_out(remove: Callable[..., Removal], *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove, where somebody says so who sees what would go, or who need not see it."""
    if dry_run or not yes:
        planned = remove(dry_run=True)
        if dry_run or not planned.memories:
            _print(planned, as_json=as_json)
            return
        typer.echo(_said(planned), err=True)
        confirm("Remove them?", yes=False)
    _print(remove(dry_run=False), as_json=as_json)


def _print(removal: Removal, *, as_json: bool) -> None:
    if as_json:
        print_json(removal)
    else:
        typer.echo(_said(removal))


def _said(removal: Removal) -> str:
    if not removal.memories:
        return "There is nothing to remove."
    done = "Would remove" if removal.dry_run else "Removed"
    lines = [f"{done} {held(removal)}."]
    if removal.dry_run:
        from draive_pg.display.text import escaped

        lines += [f"  {escaped(name)}" for name in removal.identifiers[:MOST_NAMED]]
        if (more := removal.memories - MOST_NAMED) > 0:
            lines.append(f"  and {more:,} more, which --dry-run --json names")
    return "\n".join(lines)
