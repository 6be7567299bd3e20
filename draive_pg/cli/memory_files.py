"""``draive-pg memories export|import``: whole memories on their way between databases."""

import time
from pathlib import Path
from typing import Annotated

import typer

from draive_pg import ExportInvalid
from draive_pg.cli.memories import Prefix
from draive_pg.cli.options import AsJson, Dsn, Schema, opened
from draive_pg.cli.output import held, print_json

__all__ = ("app",)

app = typer.Typer()

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSON Lines; gzipped if its name ends in .gz.")
]


@app.command()
def export(
    file: File,
    identifiers: Annotated[
        list[str] | None,
        typer.Argument(metavar="IDENTIFIER", help="Which memories; default: all."),
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Write whole memories to a file, for import.

    The file gets its name when it is complete. To look at conversations with other tools, there is
    draive-pg export, which writes tables as Parquet, CSV or JSON Lines.

    \b
    Examples:
      draive-pg memories export memories.jsonl.gz
      draive-pg memories export ada.jsonl --prefix ada/
      draive-pg memories export two.jsonl visit-1 visit-2
    """
    started = time.monotonic()
    with opened(dsn, schema) as db:
        done = db.memories.export(file, identifiers or None, prefix=prefix)
    if as_json:
        print_json(done)
    else:
        typer.echo(f"Exported {held(done)} to {file} in {time.monotonic() - started:.1f} s")


@app.command("import")
def import_(file: File, *, dsn: Dsn = None, schema: Schema = None, as_json: AsJson = False) -> None:
    """Write what export wrote into a database.

    A memory that is there already as it is in the file is left alone, so it can be interrupted and
    repeated. One that is there with other content stays as it is, and the exit code is 1. Chat
    logs of other tools come in by draive-pg import chat.

    \b
    Examples:
      draive-pg memories import memories.jsonl.gz --dsn postgresql://ada@db.example.com/chats
    """
    started = time.monotonic()
    try:
        with opened(dsn, schema) as db:
            done = db.memories.import_file(file)
    except ExportInvalid as error:
        error.add_note("chat logs come in by draive-pg import chat FILE")
        raise
    if as_json:
        print_json(done)
    else:
        seconds = time.monotonic() - started
        there = f", and {done.unchanged:,} were there already" if done.unchanged else ""
        typer.echo(f"Imported {held(done)}{there}, in {seconds:.1f} s")
