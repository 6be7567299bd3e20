"""The command line: ``draive-pg``."""

import os
import sys
import warnings
from contextlib import suppress
from typing import Annotated, Any, cast

import typer
from typer.exceptions import TyperException

from draive_pg import Client, DraivePGError, RevisionConflict, __version__
from draive_pg.cli import (
    configs,
    exporting,
    importing,
    memories,
    memory_changes,
    memory_files,
    prompt_changes,
    prompts,
    server,
)
from draive_pg.cli.doctor import doctor, print_problems
from draive_pg.cli.folders import add_folder_commands
from draive_pg.cli.kinds import CONFIGS, PROMPTS
from draive_pg.cli.options import Dsn, Schema, one_line, without_passwords
from draive_pg.cli.output import CONFLICT

__all__ = ("app", "main")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
prompts.app.add_typer(prompt_changes.app)
add_folder_commands(prompts.app, PROMPTS)
add_folder_commands(configs.app, CONFIGS)
memories.app.add_typer(memory_changes.app)
memories.app.add_typer(memory_files.app)
app.add_typer(prompts.app, name="prompts")
app.add_typer(configs.app, name="configs")
app.add_typer(memories.app, name="memories")
app.add_typer(importing.app, name="import")
app.command()(exporting.export)
app.add_typer(server.app, name="server")
app.command()(doctor)


def main() -> None:
    """Run the command of this process's arguments, and exit with its code."""
    with suppress(AttributeError):  # closed, or replaced by something simpler
        # Chats have letters that not every encoding has.
        cast("Any", sys.stdout).reconfigure(errors="replace")
    warnings.showwarning = _show_warning
    try:
        sys.exit(app(prog_name="draive-pg", standalone_mode=False))
    except TyperException as error:
        said = error.format_message()
        if "\n" not in said:  # then it is the help, for want of a command
            said = f"draive-pg: {without_passwords(said)} See --help."  # it quotes what was typed
        typer.echo(said, err=True)
        sys.exit(error.exit_code)
    except RevisionConflict as error:
        typer.echo(f"draive-pg: {one_line(error)}", err=True)
        sys.exit(CONFLICT)
    except (DraivePGError, OSError, TypeError, ValueError) as error:
        typer.echo(f"draive-pg: {one_line(error)}", err=True)
        if isinstance(error, OSError):
            _discard_output()
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        # draive's own, such as InstructionsMissing; to import them here would make help slow.
        if type(error).__module__.partition(".")[0] != "draive":
            raise
        typer.echo(f"draive-pg: {one_line(error)}", err=True)
        sys.exit(1)


def _show_warning(message: Warning | str, *_: object) -> None:
    typer.echo(f"draive-pg: warning: {' '.join(str(message).split())}", err=True)


def _discard_output() -> None:
    """Lose what could not be written, or Python would try again at its end, and complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(f"draive-pg {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Memory, prompts and configurations of draive, in PostgreSQL.

    Try it, with nothing to set up before:

    \b
      draive-pg demo

    Bring your own chat logs in, and look at them in Python:

    \b
      draive-pg import chat logs.jsonl
      python -i -c 'from draive_pg import Client; db = Client()'
      >>> db.frames.sessions()

    Keep prompts in git, beside the code that uses them:

    \b
      draive-pg prompts pull prompts
      draive-pg prompts push prompts -m 'Friendlier greetings'

    Without an address, commands and Client() use the same embedded PostgreSQL, which starts when
    it is needed. Its data is kept under $DRAIVE_PG_HOME, or else in your user data directory. For
    a server that somebody runs, give the address to each command or once to all:

    \b
      draive-pg setup --dsn postgresql://ada@db.example.com/chats
      export DRAIVE_PG_DSN=postgresql://ada@db.example.com/chats
    """


@app.command()
def setup(*, dsn: Dsn = None, schema: Schema = None) -> None:
    """Make the tables, or upgrade them to this version.

    It can be repeated without harm, and tables that draive itself made are adopted as they are. The
    exit code is 1 if there are problems then, such as an index that somebody dropped.

    \b
    Examples:
      draive-pg setup
      draive-pg setup --dsn postgresql://ada@db.example.com/chats --schema team_a
    """
    with Client(dsn or None, schema=schema) as db:
        if applied := db.setup():
            typer.echo(f"Applied to {db!r}:")
            typer.echo("\n".join(f"  {name}" for name in applied))
        else:
            typer.echo(f"All is up to date: {db!r}")
        problems = db.diagnose().problems
    if problems:
        print_problems(problems)
        raise typer.Exit(1)


@app.command()
def demo(
    *,
    dsn: Dsn = None,
    schema: Annotated[
        str, typer.Option(metavar="TEXT", help="The PostgreSQL schema that the demo works in.")
    ] = "draive_pg_demo",
) -> None:
    """Show on sample conversations what can be done.

    It works in a schema of its own, so it touches nothing of yours, and what it makes stays there
    to be played with. A second run finds the same and shows the same.

    \b
    Examples:
      draive-pg demo
      draive-pg demo | less
    """
    from draive_pg import demo

    # Without the address, which may hold a password; where the environment has it, none is needed.
    address = "" if dsn in (None, "", os.environ.get("DRAIVE_PG_DSN")) else "dsn, "
    with Client(dsn or None, schema=schema) as db:
        demo.run(db, opened_by=f"Client({address}schema={schema!r})")
