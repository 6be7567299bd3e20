"""``draive-pg convert``: copy a database to the tables of another draive."""

from typing import Annotated

import typer

from draive_pg import Conversion, ConversionLoss
from draive_pg.cli.options import AsJson, Dsn, Schema, Yes, connect
from draive_pg.cli.output import print_result


def convert(
    *,
    to: Annotated[
        str, typer.Option("--to", metavar="RELEASE", help="The draive to convert to: 0.118.")
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RELEASE",
            help="The draive to convert from: 0.89. Default: that of the tables.",
        ),
    ] = None,
    to_dsn: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The database to write to. Default: the same."),
    ] = None,
    to_schema: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The schema to write to. Default: the same."),
    ] = None,
    yes: Yes = False,
    dsn: Dsn = None,
    schema: Schema = None,
    as_json: AsJson = False,
) -> None:
    """Copy a database to the tables of another draive.

    Without --yes nothing is written, but it is shown what would be, and what has no counterpart.
    The command can be interrupted and repeated: what is there already is not written again. The
    source is not changed. The tables of the target are made by draive-pg setup with
    $DRAIVE_PG_DRAIVE set to its release. The exit code is 1 if something is refused.

    \b
    Examples:
      draive-pg convert --from 0.89 --to 0.118
      draive-pg convert --from 0.89 --to 0.118 --yes
      draive-pg convert --from 0.99 --to 0.118 --to-schema converted --yes
    """
    with connect(dsn, schema) as db:
        if to_dsn is None and to_schema is None:
            result = db.convert(to, source=source, dry_run=not yes)
        else:
            with connect(to_dsn or dsn, to_schema or schema) as into:
                result = db.convert(to, source=source, into=into, dry_run=not yes)
    print_result(result, *_lines(result), as_json=as_json)
    if result.refused:
        raise typer.Exit(1)


def _lines(result: Conversion) -> list[str]:
    done = "Would convert" if result.dry_run else "Converted"
    lines = [
        f"{done} from draive {result.source} to {result.target}: "
        f"{result.conversations:,} conversations with {result.elements:,} elements, "
        f"{result.documents:,} prompts and configurations with {result.revisions:,} revisions; "
        f"{result.unchanged:,} are there already."
    ]
    if result.losses:
        lines += ["", "Without counterpart:"]
    lines += [
        f"  {loss.reason}: {loss.count:,} in {loss.subject}, first {_place(loss)}"
        for loss in result.losses
    ]
    if result.refused:
        lines += ["", "Not converted:"]
    lines += [f"  {each.subject}, {each.name!r:.80}: {each.reason}" for each in result.refused]
    if result.dry_run:
        lines += ["", "Nothing was written; --yes does it."]
    return lines


def _place(loss: ConversionLoss) -> str:
    place = "" if loss.position is None else f" at position {loss.position}"
    return f"{loss.name!r:.80}{place}"
