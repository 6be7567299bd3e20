"""``draive-pg export``: a frame, written to a file."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from draive_pg.cli.options import Dsn, Schema, opened
from draive_pg.cli.values import timestamp
from draive_pg.frames.frame import Format

__all__ = ("export",)


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
        Path, typer.Argument(metavar="FILE", help="Ends in .parquet, .csv, .jsonl, or .gz after.")
    ],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    identifier: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Only of this one; can be repeated.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only from this time on (ISO 8601, or UTC).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only before this time.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Only so many rows.")] = None,
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Only elements of input or of output.")
    ] = None,
    tool: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Only of this tool; can be repeated.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these columns, with commas between.")
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="Of the file, whatever its name ends in."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the counts as one JSON object.")
    ] = False,
) -> None:
    """Write a table of what is stored to a file.

    It takes as little memory for ten million rows as for ten. The file gets its name when it is
    complete; one that was there before stays as it was if anything goes wrong. To take memories
    to another database as they are, there is draive-pg memories export.

    \b
    Examples:
      draive-pg export conversation_log log.parquet
      draive-pg export tool_calls calls.csv.gz --tool find --since 2026-01-01
      draive-pg export sessions sessions.jsonl --columns identifier,elements,turns
    """
    started = time.monotonic()
    with opened(dsn, schema) as db:
        rows = db.frames.export(
            frame,
            file,
            format=format_,
            identifier=identifier,
            since=timestamp(since, "--since"),
            until=timestamp(until, "--until"),
            limit=limit,
            role=role,
            tool=tool,
            columns=None if columns is None else columns.split(","),
        )
    seconds = time.monotonic() - started
    if as_json:
        typer.echo(json.dumps({"rows": rows, "seconds": round(seconds, 3)}))
    else:
        typer.echo(f"Exported {rows:,} rows to {file} in {seconds:.1f} s")
