"""``draive-pg export FRAME``: write a frame to a file."""

import inspect
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from draive_pg.cli.options import (
    AsJson,
    Dsn,
    Prefix,
    Schema,
    Since,
    Until,
    json_object,
    opened,
    timestamp,
)
from draive_pg.cli.output import echo, print_json
from draive_pg.frames.frame import Format
from draive_pg.frames.query import Role, Speaker

DETAILS = """

Memory use does not depend on the number of rows.

\b
Examples:
  draive-pg export {frame} {frame}.parquet
  draive-pg export {frame} {frame}.csv.gz --since 2026-01-01
"""


def frame_command(frame: str) -> Callable[..., None]:
    """Return the command that writes a frame."""

    @wraps(_export)
    def command(*args: Any, **kwargs: Any) -> None:
        _export(frame, *args, **kwargs)

    signature = inspect.signature(_export)
    _, *parameters = signature.parameters.values()
    command.__signature__ = signature.replace(  # pyright: ignore[reportAttributeAccessIssue]
        parameters=parameters
    )
    command.__doc__ = f"Write the table {frame} to a file.{DETAILS.format(frame=frame)}"
    return command


def _export(
    frame: str,
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
    prefix: Prefix = None,
    variables: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="Only memories whose newest variables contain this."),
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="At most this many rows.")] = None,
    role: Annotated[Role | None, typer.Option(help="Only elements of this role.")] = None,
    speaker: Annotated[Speaker | None, typer.Option(help="Only elements of this one.")] = None,
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
    spreadsheet: Annotated[
        bool,
        typer.Option(
            "--spreadsheet", help="CSV with a byte order mark, and without formulas in texts."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    started = time.monotonic()
    times = (timestamp(since, "--since"), timestamp(until, "--until"))
    with opened(dsn, schema) as db:
        rows = db.frames.export(
            frame,
            file,
            format=format_,
            spreadsheet=spreadsheet,
            identifier=identifier,
            prefix=prefix,
            variables=json_object(variables, "--variables"),
            since=times[0],
            until=times[1],
            limit=limit,
            role=role,
            speaker=speaker,
            tool=tool,
            columns=None if columns is None else columns.split(","),
        )
    seconds = time.monotonic() - started
    if as_json:
        print_json({"rows": rows, "seconds": round(seconds, 3)})
    else:
        echo(f"Exported {rows:,} rows to {file} in {seconds:.1f} s")
