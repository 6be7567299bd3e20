"""draive-pg server: start, stop and inspect the embedded PostgreSQL."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from draive_pg import Client
from draive_pg.embedded import Server, binaries
from tests.cli_runner import REPOSITORY, Shell
from tests.server import scratch_directory


@pytest.fixture
def home(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home directory for an embedded server, which is stopped at the end."""
    path = scratch_directory()
    monkeypatch.delenv("PGBINDIR")
    monkeypatch.setenv("DRAIVE_PG_HOME", str(path))
    yield path
    Server().stop(force=True)
    shutil.rmtree(path)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-W", "error", "-m", "draive_pg", *arguments)
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, check=False, text=True, timeout=60
    )


@pytest.mark.slow
def test_started_server_is_kept_until_it_is_stopped(home: Path, shell: Shell) -> None:
    before = shell("server", "status")
    assert before.code == 3
    assert "does not run" in before.out
    assert run("server", "start").returncode == 0
    pid = Server().pid()
    assert shell("server", "status").code == 0
    assert json.loads(shell("server", "status", "--json").out) == {
        "running": True,
        "pid": pid,
        "data": str(Server().data),
    }
    with Client() as db:  # uses it, and leaves it running
        db.setup()
    assert Server().pid() == pid
    assert json.loads(shell("doctor", "--json").out)["embedded"]["running"]
    assert Server().pid() == pid

    assert shell("server", "stop").out.startswith("Stopped: ")
    assert Server().pid() is None
    assert shell("server", "stop").out.startswith("It does not run: ")
    with Client() as db:  # no longer kept running
        db.setup()
    assert Server().pid() is None


def test_last_user_stops_a_server_in_use(home: Path, shell: Shell) -> None:
    user = Server().start()
    assert "It runs" in shell("server", "start").out
    assert "--force" in shell("server", "stop").out
    assert user.running()
    assert user.stop()
    user.start()
    assert shell("server", "stop", "--force").out.startswith("Stopped: ")
    assert not user.running()
    user.stop()


def test_restarted_server_is_not_kept(home: Path, shell: Shell) -> None:
    shell("server", "start")
    server = Server()
    pid = server.pid()
    assert pid is not None
    os.kill(pid, 9)
    server.start()
    assert server.stop()


def test_doctor_does_not_start_server(home: Path, shell: Shell) -> None:
    done = shell("doctor")
    assert (done.code, done.err) == (0, "")
    assert "starts when it is needed" in done.out
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("command", [("doctor",), ("memories", "list"), ("prompts", "push", ".")])
def test_empty_dsn_does_not_select_the_embedded_server(
    home: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    given = shell(*command, "--dsn", "")
    monkeypatch.setenv("DRAIVE_PG_DSN", "")
    for done in (given, shell(*command)):
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("draive-pg: the DSN is empty")
        assert done.err.count("\n") == 1
    assert list(home.iterdir()) == []


def test_where_prints_paths_and_address(home: Path, shell: Shell) -> None:
    found = json.loads(shell("server", "where", "--json").out)
    assert found == {
        "data": str(Server().data),
        "log": str(Server().log),
        "address": Server().uri(),
    }
    assert found["data"] in shell("server", "where").out
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_psql_connects_to_the_server_and_its_exit_code_is_returned(home: Path) -> None:
    done = run("server", "psql", "-XAtc", "SELECT 6 * 7")
    assert (done.stdout, done.stderr, done.returncode) == ("42\n", "", 0)
    assert run("server", "psql", "-c", "nonsense").returncode == 1
    named = run("server", "psql", "-d", "template1", "-XAtc", "SELECT current_database()")
    assert named.stdout == "template1\n"
    assert Server().pid() is None  # stopped after psql exited


def test_missing_psql_is_one_error(
    home: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_dir = home / "bin"
    bin_dir.mkdir()
    for name in ("postgres", "initdb"):
        (bin_dir / name).symlink_to(binaries.find() / name)
    with monkeypatch.context() as bare:
        bare.setenv("PGBINDIR", str(bin_dir))
        bare.setenv("PATH", str(bin_dir))
        done = shell("server", "psql")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "postgresql-client" in done.err
