"""``draive-pg export``: write a frame to a file."""

import time
from pathlib import Path
from typing import Annotated

import typer

from draive_pg.cli.options import AsJson, Dsn, Schema, Since, Until, opened, timestamp
from draive_pg.cli.output import echo, print_json
from draive_pg.frames.frame import Format


def export(
    frame: Annotated[
        str,
        typer.Argument(
            metavar="FRAME",
            help="conversation_log, tool_calls, sessions, variables, instruction_revisions or "
            "configurations.",
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Ends in .parquet, .csv or .jsonl, optionally .gz."),
    ],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    identifier: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Only this one; can be repeated.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="At most this many rows.")] = None,
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Only elements of this role: input, output.")
    ] = None,
    tool: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Only this tool; can be repeated.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these columns, separated by commas.")
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="The format, if the name of the file does not tell."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a table of stored data to a file.

    Memory use does not depend on the number of rows. The file is replaced when it is complete;
    after an error, an existing file is unchanged. To copy memories to another database, use
    draive-pg memories export.

    \b
    Examples:
      draive-pg export conversation_log log.parquet
      draive-pg export tool_calls calls.csv.gz --tool find --since 2026-01-01
      draive-pg export sessions sessions.jsonl --columns identifier,elements,turns
    """
    started = time.monotonic()
    times = (timestamp(since, "--since"), timestamp(until, "--until"))
    with opened(dsn, schema) as db:
        rows = db.frames.export(
            frame,
            file,
            format=format_,
            identifier=identifier,
            since=times[0],
            until=times[1],
            limit=limit,
            role=role,
            tool=tool,
            columns=None if columns is None else columns.split(","),
        )
    seconds = time.monotonic() - started
    if as_json:
        print_json({"rows": rows, "seconds": round(seconds, 3)})
    else:
        echo(f"Exported {rows:,} rows to {file} in {seconds:.1f} s")
