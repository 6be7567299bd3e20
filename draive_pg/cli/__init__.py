"""The command line: ``draive-pg``."""

import logging
import os
import sys
import traceback
import warnings
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, cast

import typer
from typer.exceptions import TyperException

from draive_pg import DraivePGError, RevisionConflict, __version__
from draive_pg.cli import documents, exports, imports, memories, server, views
from draive_pg.cli.annotations import annotate, annotations, unannotate
from draive_pg.cli.convert import convert
from draive_pg.cli.doctor import doctor, print_problems
from draive_pg.cli.kinds import CONFIGS, PROMPTS, TEMPLATES
from draive_pg.cli.options import Dsn, Schema, connect
from draive_pg.cli.output import CONFLICT, echo, message_of
from draive_pg.cli.releases import add_release_commands
from draive_pg.cli.report import report
from draive_pg.errors import hide_passwords
from draive_pg.lines.line import line_of

__all__ = ("app", "main")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(documents.make_group(PROMPTS), name="prompts")
app.add_typer(documents.make_group(TEMPLATES), name="templates")
app.add_typer(documents.make_group(CONFIGS), name="configs")
for command in (report, annotate, annotations, unannotate):
    memories.app.command()(command)
app.add_typer(memories.app, name="memories")
app.add_typer(imports.app, name="import")
app.add_typer(exports.app, name="export")
app.add_typer(views.app, name="views")
app.add_typer(server.app, name="server")
add_release_commands(app)
app.command()(convert)
app.command()(doctor)


class Tracebacks(logging.Handler):
    """Keep the traceback of the last error that was logged when its frames were removed.

    Attributes
    ----------
    shown : bool
        Whether to print tracebacks of expected errors, too.
    """

    shown: bool = False
    _error: BaseException | None = None
    _text: str = ""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and error is not self._error:
            self._error, self._text = error, "".join(traceback.format_exception(error))

    def of(self, error: BaseException) -> str:
        """Return the full traceback of an error."""
        return self._text if error is self._error else "".join(traceback.format_exception(error))


def main() -> None:
    """Run the command in this process's arguments, and exit with its code."""
    for name, mode in ("stdin", "r"), ("stdout", "w"), ("stderr", "w"):
        if getattr(sys, name) is None:  # closed by the caller, as by >&-
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, mode, closefd=False))
    with suppress(AttributeError):  # stdout was replaced
        # Not every encoding has all characters of a chat.
        cast("Any", sys.stdout).reconfigure(errors="replace")
    warnings.showwarning = _show_warning
    tracebacks = Tracebacks()
    try:
        sys.exit(app(prog_name="draive-pg", standalone_mode=False, obj=tracebacks))
    except TyperException as error:
        message = error.format_message()
        if "\n" not in message:  # not the help, which is shown when no command is given
            end = "" if message.endswith((".", "?")) else "."
            message = f"draive-pg: {hide_passwords(message)}{end} See --help."
        echo(*message.split("\n"), err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        sys.exit(_report_error(error, tracebacks))


def _report_error(error: Exception, tracebacks: Tracebacks) -> int:
    """Print an error, and return the exit code."""
    if isinstance(error, OSError) and not isinstance(error, DraivePGError):
        _discard_output()
    expected = _is_expected(error)
    if tracebacks.shown or not expected:
        echo(*tracebacks.of(error).splitlines(), err=True)
    if expected:
        echo(f"draive-pg: {message_of(error)}", err=True)
    else:
        echo("draive-pg: this is a bug in draive_pg: please report the traceback", err=True)
    return CONFLICT if isinstance(error, RevisionConflict) else 1


def _is_expected(error: Exception) -> bool:
    """Return whether an error is the user's or the system's, not a bug of this package."""
    if isinstance(error, DraivePGError | OSError | UnicodeError):
        return True
    # draive's own, such as InstructionsMissing; importing them here would make help slow.
    if type(error).__module__.partition(".")[0] == "draive":
        return True
    if not isinstance(error, TypeError | ValueError):
        return False
    # The frames below a command are removed from errors in arguments, not from bugs.
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals["__name__"].startswith(__name__)


def _show_warning(message: Warning | str, *_: object) -> None:
    echo(f"draive-pg: warning: {' '.join(str(message).split())}", err=True)


def _discard_output() -> None:
    """Redirect stdout to nowhere, so that flushing it at exit does not fail again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of a typer callback
    if wanted:
        echo(f"draive-pg {__version__}")
        raise typer.Exit


def _choose_line(release: str | None) -> None:
    if release is not None:
        line_of(release)
        os.environ["DRAIVE_PG_DRAIVE"] = release  # read by each client


@app.callback()
def root(
    context: typer.Context,
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
    _draive: Annotated[
        str | None,
        typer.Option(
            "--draive",
            callback=_choose_line,
            metavar="RELEASE",
            help="The release of draive whose conversations to use, such as 0.118. "
            "Default: $DRAIVE_PG_DRAIVE, else that of the tables.",
        ),
    ] = None,
    show_traceback: Annotated[
        bool, typer.Option("--traceback", help="Show the full traceback of an error.")
    ] = False,
) -> None:
    """Conversations, prompts and configurations of draive, in PostgreSQL.

    Try it, without any preparation:

    \b
      draive-pg demo

    Import your own chat logs, and look at them in Python:

    \b
      draive-pg import chats logs.jsonl
      python -i -c 'from draive_pg import Client; db = Client()'
      >>> db.frames.sessions()

    Keep prompts in git, next to the code that uses them:

    \b
      draive-pg prompts pull prompts
      draive-pg prompts push prompts -m 'Friendlier greetings'

    Without an address, commands and Client() use the same embedded PostgreSQL, which starts when
    needed. Its data is under $DRAIVE_PG_HOME, or else in your user data directory. To use another
    server, give its address to each command, or once to all:

    \b
      draive-pg setup --dsn postgresql://ada@db.example.com/chats
      export DRAIVE_PG_DSN=postgresql://ada@db.example.com/chats
    """
    if show_traceback:
        tracebacks = context.ensure_object(Tracebacks)
        tracebacks.shown = True
        logger = logging.getLogger("draive_pg")
        logger.addHandler(tracebacks)
        context.call_on_close(lambda: logger.removeHandler(tracebacks))
        context.call_on_close(partial(logger.setLevel, logger.level))
        logger.setLevel(logging.DEBUG)


@app.command()
def setup(*, dsn: Dsn = None, schema: Schema = None) -> None:
    """Create the tables, or upgrade them to this version.

    The command can be repeated. Tables created by draive are adopted as they are. The exit code is
    1 if there are problems, such as a dropped index.

    \b
    Examples:
      draive-pg setup
      draive-pg setup --dsn postgresql://ada@db.example.com/chats --schema team_a
    """
    with connect(dsn, schema) as db:
        if applied := db.setup():
            echo(f"Applied to {db!r}:", *(f"  {name}" for name in applied))
        else:
            echo(f"Everything is up to date: {db!r}")
        problems = db.diagnose().problems
    if problems:
        print_problems(problems)
        raise typer.Exit(1)


@app.command()
def demo(
    *,
    dsn: Dsn = None,
    schema: Annotated[
        str, typer.Option(metavar="TEXT", help="The PostgreSQL schema of the demo.")
    ] = "draive_pg_demo",
) -> None:
    """Show the features on sample conversations.

    The demo has its own schema, so it does not touch your data. Its data stays there for you to try
    things on. It can be repeated.

    \b
    Examples:
      draive-pg demo
      draive-pg demo | less
    """
    from draive_pg import demo

    # The address may contain a password, so the code shown has a variable in its place.
    address = "" if dsn in (None, os.environ.get("DRAIVE_PG_DSN")) else "dsn, "
    with connect(dsn, schema) as db:
        demo.run(db, opened_by=f"Client({address}schema={schema!r})")
