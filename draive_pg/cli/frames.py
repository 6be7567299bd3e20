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
    RoleOption,
    Schema,
    SpeakerOption,
    Until,
    choice_option,
    json_option,
    opened,
    parse_time,
)
from draive_pg.cli.output import print_result
from draive_pg.codec.validation import shown
from draive_pg.frames.frame import Format, PartitionBy

DETAILS = """

Memory use does not depend on the number of rows.

\b
Examples:
  draive-pg export {frame} {frame}.parquet
  draive-pg export {frame} {frame}.csv.gz --since 2026-01-01
"""


def _since(text: str) -> Any:
    return text if text == "last" else parse_time(text)


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
        typer.Argument(
            metavar="FILE",
            help="Ends in .parquet, .csv or .jsonl, optionally .gz; a folder with --partition-by.",
        ),
    ],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    identifier: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Only this one; can be repeated.")
    ] = None,
    prefix: Prefix = None,
    variables: Annotated[
        dict[str, Any] | None, json_option("Only memories whose newest variables contain this.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            parser=_since,
            metavar="TIME",
            help="Only from this time on (ISO 8601; else UTC); last: add what is new to a folder.",
        ),
    ] = None,
    until: Until = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="At most this many rows.")] = None,
    role: RoleOption = None,
    speaker: SpeakerOption = None,
    tool: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Only this tool; can be repeated.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these columns, separated by commas.")
    ] = None,
    format_: Annotated[
        Format | None,
        choice_option(Format, "If the name of the file does not tell.", "--format"),
    ] = None,
    spreadsheet: Annotated[
        bool,
        typer.Option(
            "--spreadsheet", help="CSV with a byte order mark, and without formulas in texts."
        ),
    ] = False,
    partition_by: Annotated[
        str | None,
        typer.Option(
            metavar="month|day|ROWS",
            help="Write conversation_log to a folder: a file a month, a day, or so many rows.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    started = time.monotonic()
    with opened(dsn, schema) as db:
        rows = db.frames.export(
            frame,
            file,
            format=format_,
            spreadsheet=spreadsheet,
            partition_by=_partition_by(partition_by),
            identifier=identifier,
            prefix=prefix,
            variables=variables,
            since=since,
            until=until,
            limit=limit,
            role=role,
            speaker=speaker,
            tool=tool,
            columns=None if columns is None else columns.split(","),
        )
    seconds = time.monotonic() - started
    text = f"Exported {rows:,} rows to {file} in {seconds:.1f} s"
    print_result({"rows": rows, "seconds": round(seconds, 3)}, text, as_json=as_json)


def _partition_by(value: str | None) -> PartitionBy | None:
    match value:
        case None | "month" | "day":
            return value
        case _ if value.isdecimal() and int(value):
            return int(value)
        case _:
            raise typer.BadParameter(
                f"--partition-by must be month, day or a number of rows, not {shown(value)}."
            )
