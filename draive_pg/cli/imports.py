"""``draive-pg import``: import chat logs of other tools, and whole memories."""

import time
from pathlib import Path
from typing import Annotated

import typer

from draive_pg.chat import Branches, OnError
from draive_pg.cli.file_groups import FileGroup
from draive_pg.cli.options import AsJson, Dsn, Schema, choice_option, opened, renamed
from draive_pg.cli.output import counts_of, echo, print_json, print_result, print_table, summarize
from draive_pg.display.text import plural
from draive_pg.models.conversations import ChatImport

app = typer.Typer(
    cls=FileGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Import chat logs, or whole memories.",
)


@app.command()
def chats(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files and folders; - for standard input.")
    ],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Prefix of all identifiers.")] = "",
    identifier: Annotated[
        str | None, typer.Option(metavar="FIELD", help="Field with the identifiers.")
    ] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="Field of conversations that becomes a variable; repeat it for several. Default: "
            "all that are not nested.",
        ),
    ] = None,
    meta: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="Field of messages that becomes meta; repeat it for several. Default: all.",
        ),
    ] = None,
    branches: Annotated[
        Branches, choice_option(Branches, "Import edited conversations once, or every branch.")
    ] = "active",
    on_error: Annotated[
        OnError,
        choice_option(
            OnError,
            "Refuse a conversation with a malformed message, leave out the message, or keep what "
            "can be kept of it.",
        ),
    ] = "refuse",
    append: Annotated[
        bool,
        typer.Option("--append", help="Append to memories that have elements; do not compare."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything, write nothing; needs no database."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import chat logs: one memory per conversation.

    The format is detected; draive-pg import formats lists them. Files are JSON, JSON Lines, CSV or
    Parquet, also compressed (gzip, zstd, xz, bzip2) and in ZIP archives. The identifier of a
    conversation is its own (id, conversation_id, session_id, ...), else it is derived from the name
    of the file and the content.

    Each conversation is written completely or not at all. Importing again adds only what is new: a
    conversation that has grown gets its new messages, one with other messages is refused. Invalid
    conversations are reported, the others are imported; the exit code is 1 if anything failed.
    Files of draive-pg export memories are imported by draive-pg import memories.

    The embedded PostgreSQL creates its tables itself. On another server, run draive-pg setup first.

    \b
    Examples:
      draive-pg import chats export.zip
      draive-pg import chats exports/*.json.gz --prefix support/
      draive-pg import chats logs.jsonl --dry-run
    """
    from draive_pg.operations.conversations import import_chats

    started = time.monotonic()
    if dry_run:
        rules = import_chats.rules(
            identifier, prefix, variables, meta, branches, on_error, append=append
        )
        done = import_chats.check(files, rules)
    else:
        with opened(dsn, schema) as db:
            done = db.memories.import_chats(
                files,
                identifier=identifier,
                prefix=prefix,
                variables=variables,
                meta=meta,
                branches=branches,
                on_error=on_error,
                append=append,
            )
    for problem in (*done.refused, *done.repaired):
        echo(f"draive-pg: {' '.join(problem.split())}", err=True)
    seconds = round(time.monotonic() - started, 3)
    print_result(
        _counts(done) | {"seconds": seconds},
        *_summary(done, seconds, "Would import" if dry_run else "Imported"),
        as_json=as_json,
    )
    raise typer.Exit(1 if done.refused else 0)


app.command("chat", hidden=True)(renamed(chats, "import chat", "import chats"))


@app.command()
def memories(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON Lines; gzipped if its name ends in .gz.")
    ],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    as_json: AsJson = False,
) -> None:
    """Write the memories of an exported file into a database.

    A memory that already exists with equal content is skipped, so an interrupted import can be
    repeated. One that exists with other content stays unchanged, and the exit code is 1. Chat logs
    of other tools are imported by draive-pg import chats.

    \b
    Examples:
      draive-pg import memories memories.jsonl.gz --dsn postgresql://ada@db.example.com/chats
    """
    started = time.monotonic()
    with opened(dsn, schema) as db:
        result = db.memories.import_memories(file)
    seconds = time.monotonic() - started
    unchanged = f", {result.unchanged:,} unchanged" if result.unchanged else ""
    lines = [f"Imported {summarize(result)}{unchanged} in {seconds:.1f} s"]
    if result.ignored:
        lines.append(f"Not written: {counts_of(result.ignored)}")
    print_result(result, *lines, as_json=as_json)


@app.command()
def formats(*, as_json: AsJson = False) -> None:
    """List the formats of chat logs that can be imported.

    \b
    Examples:
      draive-pg import formats
    """
    from draive_pg.chat.formats import FORMATS

    rows = sorted((each.name, each.title) for each in FORMATS)
    if as_json:
        print_json([{"name": name, "title": title} for name, title in rows])
    else:
        print_table(("name", "format"), rows)


def _counts(done: ChatImport) -> dict[str, object]:
    return {
        "conversations": done.imported,
        "elements": done.elements,
        "extended": done.extended,
        "skipped": done.unchanged,
        "failed": done.failed,
        "repaired": len(done.repaired),
        "ignored": done.ignored,
        "untimed": done.untimed,
    }


def _summary(done: ChatImport, seconds: float, verb: str) -> list[str]:
    written = f"{plural(done.imported, 'conversation')} ({plural(done.elements, 'element')})"
    lines = [
        f"{verb} {written}, skipped {done.unchanged:,}, failed {done.failed:,}, in {seconds:.1f} s"
    ]
    if done.extended:
        lines.append(f"Added new messages to {plural(done.extended, 'conversation')}")
    if done.untimed:
        lines.append(f"Messages without times: in {done.untimed:,} of them; durations are missing")
    if done.ignored:
        lines.append(f"Not read: {counts_of(done.ignored)}")
    return lines
