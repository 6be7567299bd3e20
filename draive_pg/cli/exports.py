"""``draive-pg export``: write chat logs, whole memories, and tables."""

import time
from pathlib import Path
from typing import Annotated

import typer

from draive_pg.chat import ExportFormat
from draive_pg.cli.file_groups import FileGroup
from draive_pg.cli.frames import frame_command
from draive_pg.cli.options import (
    AsJson,
    Dsn,
    LastSince,
    LastUntil,
    Memories,
    Prefix,
    Schema,
    choice_option,
    opened,
)
from draive_pg.cli.output import counts_of, echo, print_result, summarize
from draive_pg.display.text import plural
from draive_pg.frames import FRAMES

app = typer.Typer(
    cls=FileGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Write chat logs, whole memories, or tables.

    The file is replaced when it is complete; after an error, an existing file is unchanged.
    """,
)

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSON Lines; gzipped if its name ends in .gz.")
]


@app.command()
def chats(
    file: File,
    identifiers: Memories = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Prefix = None,
    since: LastSince = None,
    until: LastUntil = None,
    format_: Annotated[
        ExportFormat, choice_option(ExportFormat, "Format of the conversations.", "--format")
    ] = "openai",
    metadata: Annotated[
        bool,
        typer.Option(
            "--metadata", help="With identifiers, times, variables, reasoning and meta, for import."
        ),
    ] = False,
    only_valid: Annotated[
        bool,
        typer.Option(
            "--only-valid",
            help="Leave out conversations that model APIs refuse, and messages after the last "
            "answer.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write conversations, as for fine-tuning.

    Each line is a conversation. Those that the API of a model would refuse are named.

    \b
    Examples:
      draive-pg export chats tuning.jsonl --only-valid
      draive-pg export chats ada.jsonl.gz --prefix ada/ --metadata
      draive-pg export chats one.jsonl visit-1 --format anthropic
    """
    started = time.monotonic()
    with opened(dsn, schema) as db:
        done = db.memories.export_chats(
            file,
            identifiers or None,
            prefix=prefix,
            since=since,
            until=until,
            format=format_,
            metadata=metadata,
            only_valid=only_valid,
        )
    for problem in (*done.refused, *done.problems):
        echo(f"draive-pg: {problem}", err=True)
    seconds = time.monotonic() - started
    lines = [
        f"Exported {plural(done.conversations, 'conversation')} "
        f"({plural(done.messages, 'message')}) to {file} in {seconds:.1f} s"
    ]
    if done.ignored:
        lines.append(f"Not written: {counts_of(done.ignored)}")
    print_result(done, *lines, as_json=as_json)


@app.command()
def memories(
    file: File,
    identifiers: Memories = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Write whole memories, for another database.

    The file is read by draive-pg import memories.

    \b
    Examples:
      draive-pg export memories memories.jsonl.gz
      draive-pg export memories ada.jsonl --prefix ada/
      draive-pg export memories two.jsonl visit-1 visit-2
    """
    started = time.monotonic()
    with opened(dsn, schema) as db:
        result = db.memories.export_memories(file, identifiers or None, prefix=prefix)
    seconds = time.monotonic() - started
    text = f"Exported {summarize(result)} to {file} in {seconds:.1f} s"
    print_result(result, text, as_json=as_json)


for frame in FRAMES:
    app.command(frame)(frame_command(frame))
