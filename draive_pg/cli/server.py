"""``draive-pg server``: start, stop and inspect the embedded PostgreSQL."""

import os
import shutil
import signal
import subprocess
from typing import Annotated

import typer
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from draive_pg import EmbeddedServerError
from draive_pg.cli.options import AsJson
from draive_pg.cli.output import NOT_RUNNING, echo, print_result
from draive_pg.embedded import Server, binaries

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Start, stop and inspect your embedded PostgreSQL.

    Commands and Client() start it when they need it, and the last of them stops it. A server that
    is started here keeps running until you stop it.
    """,
)


@app.command()
def start(*, as_json: AsJson = False) -> None:
    """Start the server, and keep it running.

    It runs until draive-pg server stop, or until the machine is shut down. If it runs already, it
    keeps running from now on.

    \b
    Examples:
      draive-pg server start
      DRAIVE_PG_HOME=/srv/chats draive-pg server start
    """
    server = Server().start()
    server.keep()
    server.stop()  # a kept server is not stopped by its users
    _print(server, as_json=as_json)


@app.command()
def stop(
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Stop it now, and end all sessions.")
    ] = False,
) -> None:
    """Stop the server, or let it stop when no process uses it.

    \b
    Examples:
      draive-pg server stop
      draive-pg server stop --force
    """
    server = Server()
    if server.pid() is None:
        echo(f"It does not run: {server.data}")
        return
    if not force:
        server.start()
        server.unkeep()
    if server.stop(force=force):
        echo(f"Stopped: {server.data}")
    else:
        echo(
            "It is in use, and stops when no process uses it. To stop it now, add --force; a "
            "Client() that is still open starts it again with its next call."
        )


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Print whether the server runs.

    The exit code is 0 if it does, and 3 if not.

    \b
    Examples:
      draive-pg server status
      draive-pg server status --json | jq .pid
    """
    server = Server()
    _print(server, as_json=as_json)
    raise typer.Exit(0 if server.running() else NOT_RUNNING)


@app.command()
def where(*, as_json: AsJson = False) -> None:
    """Print the paths of data and log, and the address.

    \b
    Examples:
      draive-pg server where
      psql "$(draive-pg server where --json | jq -r .address)"
    """
    server = Server()
    found = {"data": str(server.data), "log": str(server.log), "address": server.uri()}
    lines = (f"{name:<8} {value}" for name, value in found.items())
    print_result(found, *lines, as_json=as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def psql(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGUMENT", help="Arguments of psql.")
    ] = None,
) -> None:
    """Open psql on the server.

    The server is started if needed, and runs as long as psql. The exit code is that of psql.

    \b
    Examples:
      draive-pg server psql
      draive-pg server psql -c 'SELECT count(*) FROM memories'
      draive-pg server psql -f report.sql
    """
    packaged = binaries.find() / "psql"
    program = str(packaged) if packaged.is_file() else shutil.which("psql")
    if program is None:
        raise EmbeddedServerError(
            f"psql is neither in {packaged.parent} nor on PATH: install the client "
            "programs of PostgreSQL (postgresql-client on Debian, libpq by Homebrew)"
        )
    server = Server().start()
    # psql handles Ctrl-C itself: it cancels the statement and continues.
    interrupted = signal.signal(signal.SIGINT, _ignored)
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            (program, *(arguments or ())), check=False, env=_environment(server)
        )
    finally:
        signal.signal(signal.SIGINT, interrupted)
        server.stop()
    raise typer.Exit(done.returncode)


def _environment(server: Server) -> dict[str, str]:
    """Return environment variables that psql connects with, unless its options say otherwise."""
    found = conninfo_to_dict(server.uri())
    variables = {each.keyword: each.envvar for each in Conninfo.get_defaults() if each.envvar}
    others = {os.fsdecode(variable) for variable in variables.values()}
    ours = {os.fsdecode(variables[key.encode()]): str(value) for key, value in found.items()}
    return {key: value for key, value in os.environ.items() if key not in others} | ours


def _ignored(_number: int, _frame: object) -> None:
    """Do nothing; unlike SIG_IGN, psql does not inherit a handler."""


def _print(server: Server, *, as_json: bool) -> None:
    pid = server.pid()
    state = "It does not run" if pid is None else f"It runs as process {pid}"
    result = {"running": server.running(), "pid": pid, "data": str(server.data)}
    print_result(result, f"{state}: {server.data}", as_json=as_json)
