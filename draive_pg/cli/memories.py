"""``draive-pg memories``: list, show, search, copy and remove conversations."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

import typer

from draive_pg import MemoryMissing, Removal
from draive_pg.cli import exports, imports
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
    RoleOption,
    Schema,
    Since,
    SpeakerOption,
    Until,
    Yes,
    choice_option,
    confirm,
    duration,
    json_option,
    opened,
    renamed,
)
from draive_pg.cli.output import (
    echo,
    echo_json,
    print_json,
    print_records,
    print_result,
    print_stored,
    print_table,
    summarize,
)
from draive_pg.display.text import duration as readable
from draive_pg.display.text import format_size
from draive_pg.frames.search import Match

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Look at, search, copy and remove conversations.

    draive-pg import and draive-pg export read and write chat logs, whole memories, and tables.

    TIME is 2026-01-31 or 2026-01-31T12:00+01:00; without an offset it is UTC.
    """,
)

MAX_NAMED = 20  # identifiers listed before a removal

Identifier = Annotated[str, typer.Argument(metavar="IDENTIFIER", help="The memory.")]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")
]

# --- Looking at memories


@app.command("list")
def list_(
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Prefix = None,
    since: LastSince = None,
    until: LastUntil = None,
    order: MemoryOrder = "identifier",
    descending: Descending = False,
    limit: Limit = 100,
    offset: Annotated[int, typer.Option(metavar="NUMBER", help="Skip this many.")] = 0,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """List memories with their sizes and times.

    Sizes are those of elements and variables in their tables, compressed.

    \b
    Examples:
      draive-pg memories list --order last --descending --limit 20
      draive-pg memories list --prefix ada/ --since 2026-01-31
      draive-pg memories list --all --json | jq -r '.[].identifier'
    """
    with opened(dsn, schema) as db:
        memories = db.memories.list(
            prefix,
            since=since,
            until=until,
            order=order,
            descending=descending,
            limit=None if everything else limit,
            offset=offset,
        )
        shown = offset + len(memories)
        full = not everything and len(memories) == limit
        total = db.memories.count(prefix, since=since, until=until) if full else shown
    if as_json:
        print_json(list(memories))
    else:
        names = ("identifier", "title", "elements", "variables", "size", "created", "last")
        rows = [
            (
                *(each.identifier, each.title, each.elements, each.variables),
                *(format_size(each.bytes), each.created, each.last),
            )
            for each in memories
        ]
        if all(each.title is None for each in memories):
            names, rows = (names[0], *names[2:]), [(row[0], *row[2:]) for row in rows]
        print_table(names, rows, "There are no such memories.")
    if total > shown:
        echo(f"{shown:,} of {total:,}; the next page: --offset {shown}", err=True)


@app.command()
def show(
    identifier: Identifier,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    limit: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Only this many of the newest elements.")
    ] = None,
    html: Annotated[
        bool, typer.Option("--html", help="Print a web page with everything in full.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a memory as a transcript.

    Tool calls begin with ->, their responses with <-, reasoning with ~, and irregularities with !.
    JSON is the table of the elements, as Memory.log returns it.

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
        transcript = memory.show(limit)
        if not transcript.exists:
            raise MemoryMissing(f"there is no memory {identifier!r:.80}")
        if as_json:
            log = memory.log().iloc[-len(transcript) or None :]
            echo_json(log.to_json(orient="records", date_format="iso", date_unit="us"))
        elif html:
            print_stored(f"{transcript.to_html()}\n")
        else:
            print_stored(f"{transcript}\n")


@app.command()
def search(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="Words to find: 'bike -rental \"two of them\"'."),
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    identifier: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="In this memory; can be repeated.")
    ] = None,
    prefix: Prefix = None,
    role: RoleOption = None,
    speaker: SpeakerOption = None,
    tool: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="With this tool; can be repeated.")
    ] = None,
    meta: Annotated[dict[str, Any] | None, json_option("The element's meta contains this.")] = None,
    variables: Annotated[
        dict[str, Any] | None, json_option("Its memory's variables contain this.")
    ] = None,
    error: Annotated[
        bool | None, typer.Option("--error/--no-error", help="With or without a tool error.")
    ] = None,
    since: Since = None,
    until: Until = None,
    match: Annotated[
        Match | None,
        choice_option(Match, "Whole words, or also parts of words; the default depends on TEXT."),
    ] = None,
    language: Annotated[
        str, typer.Option(metavar="NAME", help="Such as english, to find other forms of words.")
    ] = "simple",
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """Find elements by text and by properties.

    All conditions must hold. Results are ordered by relevance, or without TEXT the newest first.
    TEXT has the syntax of web search engines, and is searched in the text of user and model. The
    exit code is 1 if nothing is found.

    \b
    Examples:
      draive-pg memories search 'refund or voucher -hotel'
      draive-pg memories search --match substring user_name
      draive-pg memories search --tool find_flight --error --since 2026-01-31
      draive-pg memories search --variables '{"customer": "ada"}' --json | jq -r '.[].excerpt'
    """
    with opened(dsn, schema) as db:
        found = db.memories.search(
            text,
            identifier=identifier,
            prefix=prefix,
            role=role,
            speaker=speaker,
            tool=tool,
            error=error,
            match=match,
            language=language,
            limit=limit,
            meta=meta,
            variables=variables,
            since=since,
            until=until,
        )
    if as_json:
        echo_json(found.to_json(orient="records", date_format="iso", date_unit="us"))
    else:
        names = ("identifier", "position", "created", "speaker", "excerpt")
        rows = [[getattr(row, name) for name in names] for row in found.itertuples()]
        print_table(names, rows, "Nothing was found.")
    if found.attrs["truncated"]:
        echo(f"the first {limit:,}, there are more: --limit shows more", err=True)
    raise typer.Exit(0 if len(found) else 1)


# --- Changing memories


@app.command()
def fork(
    identifier: Identifier,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The identifier of the copy.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    position: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="The last element to copy, numbered as in show."),
    ] = None,
) -> None:
    """Copy a memory, or its beginning, with its times.

    The new identifier must not exist yet.

    \b
    Examples:
      draive-pg memories fork visit-1 visit-1-again
      draive-pg memories fork visit-1 what-if --position 4
    """
    with opened(dsn, schema) as db:
        db.memory(identifier).fork(new, position=position)
    echo(f"Copied {identifier!r:.80} to {new!r:.80}.")


@app.command()
def rename(
    identifier: Identifier,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new identifier.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
) -> None:
    """Give a memory another identifier, which must not exist yet.

    \b
    Examples:
      draive-pg memories rename visit-1 ada/visit-1
    """
    with opened(dsn, schema) as db:
        db.memory(identifier).rename(new)
    echo(f"Renamed {identifier!r:.80} to {new!r:.80}.")


@app.command()
def remove(
    identifiers: Annotated[list[str], typer.Argument(metavar="IDENTIFIER", help="The memories.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    yes: Yes = False,
) -> None:
    """Remove memories with their elements and variables.

    The exit code is 1 if one does not exist; the others are removed nevertheless.

    \b
    Examples:
      draive-pg memories remove visit-1
      draive-pg memories remove visit-1 visit-2 --yes
    """
    count = len(identifiers)
    which = f"memory {identifiers[0]!r:.80}" if count == 1 else f"{count} memories"
    confirm(f"Remove {which} with all elements and variables?", yes=yes)
    with opened(dsn, schema) as db, db.transaction():
        missing = [each for each in identifiers if not db.memories.remove(each)]
    echo(f"Removed {count - len(missing)} of {count}.")
    for each in missing:
        echo(f"draive-pg: there is no memory {each!r:.80}", err=True)
    raise typer.Exit(1 if missing else 0)


@app.command()
def prune(
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    older_than: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration, metavar="AGE", help="Not written to for this long: 90d, 12h or 30m."
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Keep this many of those last written to."),
    ] = None,
    prefix: Prefix = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="Not written to for their time to live.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove old or expired memories, or all but the newest.

    The age of a memory is the time since its last write. All conditions must hold. Memories are
    removed in batches, so that writers do not wait; an interrupted command can be repeated. With
    --prefix, other memories are neither removed nor counted by --keep. The command asks for
    confirmation; without a terminal, it needs --yes.

    \b
    Examples:
      draive-pg memories prune --older-than 90d --dry-run
      draive-pg memories prune --older-than 90d --keep 1000 --yes
      draive-pg memories prune --keep 10 --prefix ada/
      draive-pg memories prune --expired --yes
    """
    if older_than is None and keep is None and not expired:
        raise typer.BadParameter("give --older-than, --keep or --expired.")
    with opened(dsn, schema) as db:
        run = partial(db.memories.prune, older_than, keep=keep, prefix=prefix, expired=expired)
        _remove_confirmed(run, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
def ttl(
    ttl: Annotated[
        str | None, typer.Argument(metavar="[TTL]", help="90d, 12h, 30m, or none to remove it.")
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    identifier: Annotated[
        str | None, typer.Option(metavar="IDENTIFIER", help="Of this memory.")
    ] = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Set the time to live of a memory or of a prefix, or list all.

    It begins with the last write of a memory. "memories prune --expired" removes what has outlived
    it. A memory's own time to live has precedence, then that of the longest prefix. JSON has
    seconds.

    \b
    Examples:
      draive-pg memories ttl 1d --prefix anonymous/
      draive-pg memories ttl 365d --identifier visit-1
      draive-pg memories ttl none --prefix anonymous/
      draive-pg memories ttl
    """
    if (ttl is None) != (identifier is None and prefix is None) or None not in (identifier, prefix):
        raise typer.BadParameter("give TTL and either --identifier or --prefix, or none of them.")
    with opened(dsn, schema) as db:
        if ttl is not None:
            value = None if ttl == "none" else duration(ttl)
            db.memories.set_ttl(value, identifier=identifier, prefix=prefix)
            kind = "memory" if prefix is None else "prefix"
            now = (
                "no time to live of its own"
                if value is None
                else f"a time to live of {readable(value)}"
            )
            echo(f"The {kind} {identifier or prefix} has {now}.")
        else:
            print_records(
                db.memories.ttls(),
                *("name", "is_prefix", "ttl"),
                as_json=as_json,
                empty="There are no times to live.",
            )


@app.command()
def erase(
    identifiers: Annotated[
        list[str] | None, typer.Argument(metavar="IDENTIFIER", help="The memories.")
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Prefix = None,
    variables: Annotated[
        dict[str, Any] | None, json_option("Their variables contain this, or did at some time.")
    ] = None,
    meta: Annotated[
        dict[str, Any] | None, json_option("The meta of an element contains this.")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove all memories of a person, in one transaction.

    All conditions must hold. The command lists the memories and asks for confirmation; without a
    terminal, it needs --yes. Exported files, backups and mentions in the memories of others are not
    removed.

    \b
    Examples:
      draive-pg memories erase --prefix ada/
      draive-pg memories erase --variables '{"customer": "ada"}' --yes
    """
    if not (identifiers or variables or meta) and prefix is None:
        raise typer.BadParameter("give IDENTIFIER, --prefix, --variables or --meta.")
    with opened(dsn, schema) as db:
        run = partial(
            db.memories.erase, identifiers or None, prefix=prefix, variables=variables, meta=meta
        )
        _remove_confirmed(run, dry_run=dry_run, yes=yes, as_json=as_json)


def _remove_confirmed(
    run: Callable[..., Removal], *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Show what a dry run finds, ask for confirmation, and remove it."""
    if dry_run or not yes:
        planned = run(dry_run=True)
        if dry_run or not planned.memories:
            print_result(planned, *_removal_lines(planned), as_json=as_json)
            return
        echo(*_removal_lines(planned), err=True)
        confirm("Remove them?", yes=False)
    done = run(dry_run=False)
    print_result(done, *_removal_lines(done), as_json=as_json)


def _removal_lines(removal: Removal) -> list[str]:
    if not removal.memories:
        return ["There is nothing to remove."]
    done = "Would remove" if removal.dry_run else "Removed"
    lines = [f"{done} {summarize(removal)}."]
    if removal.dry_run:
        lines += [f"  {name}" for name in removal.identifiers[:MAX_NAMED]]
        if (more := removal.memories - MAX_NAMED) > 0:
            lines.append(f"  and {more:,} more; --dry-run --json lists all")
    return lines


# --- Old names of commands of `draive-pg export` and `draive-pg import`


app.command("export", hidden=True)(renamed(exports.memories, "memories export", "export memories"))
app.command("import", hidden=True)(renamed(imports.memories, "memories import", "import memories"))
