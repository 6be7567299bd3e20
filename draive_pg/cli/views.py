"""``draive-pg views``: views of the frames, for psql and other tools."""

from typing import Annotated

import typer

from draive_pg.cli.options import Dsn, Schema, opened
from draive_pg.cli.output import echo
from draive_pg.frames.views import DEFAULT_SCHEMA

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Create or drop views with the columns of the DataFrames.

    psql, DuckDB and dashboards can query them: SELECT * FROM draive_pg.conversation_log.
    """,
)

Views = Annotated[str, typer.Option("--views", metavar="TEXT", help="The schema of the views.")]


@app.command()
def create(*, dsn: Dsn = None, schema: Schema = None, views: Views = DEFAULT_SCHEMA) -> None:
    """Create the views, or replace them.

    \b
    Examples:
      draive-pg views create
      draive-pg views create --schema draive --views reports
    """
    with opened(dsn, schema) as db:
        names = db.frames.create_views(views)
    echo(*(f"{views}.{name}" for name in names))


@app.command()
def drop(*, dsn: Dsn = None, schema: Schema = None, views: Views = DEFAULT_SCHEMA) -> None:
    """Drop the views.

    \b
    Examples:
      draive-pg views drop
    """
    with opened(dsn, schema) as db:
        names = db.frames.drop_views(views)
    echo(*(f"Dropped {views}.{name}" for name in names))
