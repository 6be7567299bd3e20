"""The demo, and an import on a new embedded server."""

import os
import pty
import re
import shutil
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from draive_pg import Client
from draive_pg.analysis import FAILURE
from draive_pg.demo import PROMPT, WIDTH, run
from draive_pg.embedded import Server
from draive_pg.samples import support
from tests.cli_runner import STRICT_PYTHON
from tests.server import scratch_directory

REPOSITORY = Path(__file__).parents[1]
COMMAND = ("-m", "draive_pg")


# --- On an embedded server


@pytest.fixture
def home() -> Iterator[Path]:
    path = scratch_directory()
    yield path
    for pid_file in path.rglob("postmaster.pid"):
        Server(pid_file.parent).stop(force=True)
    shutil.rmtree(path)


def python(*arguments: object, **variables: object) -> str:
    """Run Python with warnings as errors; stderr must be empty."""
    done = subprocess.run(
        [*STRICT_PYTHON, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **{name: str(value) for name, value in variables.items()}},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def server_stopped(home: Path) -> bool:
    """Return whether the server created in the home directory has stopped."""
    (version,) = home.glob("*/PG_VERSION")
    return not Server(version.parent).running() and not list(home.rglob("postmaster.pid"))


def snippet(shown: str) -> str:
    """Return the code in the output that opens the database of the demo."""
    (code,) = re.findall(r"^    from draive_pg .+\n    db = .+\n    db\..+$", shown, re.MULTILINE)
    return re.sub("^    ", "", code, flags=re.MULTILINE)


@pytest.mark.slow
def test_demo_and_import_work_without_setup(home: Path) -> None:
    first = python(*COMMAND, "demo", DRAIVE_PG_HOME=home)
    assert server_stopped(home)
    second = python(*COMMAND, "demo", DRAIVE_PG_HOME=home)
    assert server_stopped(home)
    introduction, rest = first.split("\n\n", 1)
    assert "63 were imported now, 0 were there already" in " ".join(introduction.split())
    introduction, same = second.split("\n\n", 1)
    assert "0 were imported now, 63 were there already" in " ".join(introduction.split())
    assert rest == same
    assert str(home) in rest

    *opening, frame = snippet(first).splitlines()
    code = "\n".join((*opening, f"print(len({frame}))"))
    assert python("-c", code, DRAIVE_PG_HOME=home) == "591\n"

    imported = python(*COMMAND, "import", "chats", support(), DRAIVE_PG_HOME=home)
    assert imported.startswith("Imported 63 conversations (591 elements), skipped 0, failed 0, in ")
    assert server_stopped(home)


# --- On any server


@pytest.fixture
def shown(empty_dsn: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The output of the demo in a pipe."""
    with Client(empty_dsn, schema="toured") as db:
        run(db, opened_by="Client('…')")
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_demo_output_matches_tables(shown: str, empty_dsn: str) -> None:
    with Client(empty_dsn, schema="toured") as db:
        sessions, calls = db.frames.sessions(), db.frames.tool_calls()
        recalled = db.memory(sessions["identifier"][0]).recall(limit=6)
        resolved = db.instructions.resolve(PROMPT, arguments={"customer": "Ada", "shop": ""})
        revisions = db.frames.instruction_revisions(PROMPT)
    text = " ".join(shown.split())

    sums = sessions[["elements", "turns", "tool_calls", "n_chars"]].sum()
    assert f" {len(sessions)} {' '.join(f'{each:,}' for each in sums)} " in text
    for row in sessions.head().itertuples():
        cells = (row.identifier, row.elements, row.turns, row.tool_calls, row.n_chars)
        assert " ".join(map(str, cells)) in text

    for element in recalled.context:
        assert " ".join(element.content.to_str().split()) in text

    responses = calls["response"].fillna("")
    failed = [response for response in responses if re.match(FAILURE, response, re.IGNORECASE)]
    unanswered = calls["responded"].isna().sum()
    assert f"Of {len(calls)} calls {len(failed)} failed, and {unanswered} were never" in text
    for tool in ("refund", "find_booking"):
        of_tool = responses[calls["tool"] == tool]
        assert f" {tool} {len(of_tool)} {of_tool.isin(failed).sum()} " in text

    assert list(revisions["current"]) == [False, True]
    for content in revisions["content"]:
        assert content in text
    assert resolved.split("!")[0] in text


def test_demo_keeps_existing_revisions(shown: str, empty_dsn: str) -> None:
    with Client(empty_dsn, schema="toured") as db:
        db.instructions.define(PROMPT, content="Hi {customer}")
        run(db, opened_by="Client()")
        assert len(db.frames.instruction_revisions(PROMPT)) == 3


def max_line_length(shown: str) -> int:
    # The line with the client is not wrapped, so that it can be copied.
    return max(len(line) for line in shown.splitlines() if not line.startswith("    Client("))


def test_output_in_pipe_is_plain_and_fits_width(shown: str) -> None:
    assert "\x1b" not in shown
    assert max_line_length(shown) <= WIDTH


@pytest.mark.slow
@pytest.mark.parametrize("columns", [70, 140])
def test_output_on_terminal_is_coloured_and_fits_width(empty_dsn: str, columns: int) -> None:
    terminal, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    unset = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE"}
    with subprocess.Popen(
        [sys.executable, *COMMAND, "demo", "--dsn", f"{empty_dsn} password=secret"],
        cwd=REPOSITORY,
        env={**{name: os.environ[name] for name in os.environ.keys() - unset}, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: read(terminal), b"")).decode()
        assert process.stderr
        assert process.stderr.read() == b""
    os.close(terminal)
    assert process.returncode == 0
    assert "\x1b[1m" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "Client(dsn, schema='draive_pg_demo')" in plain
    assert "secret" not in plain
    assert max_line_length(plain) <= min(columns, WIDTH)


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # raised on Linux when the other side is closed
        return b""


def test_closed_stdout_ends_demo_silently(dsn: str) -> None:
    with subprocess.Popen(
        [*STRICT_PYTHON, *COMMAND, "demo", "--dsn", dsn],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 1


@pytest.mark.slow
def test_snippet_omits_dsn_of_environment(empty_dsn: str) -> None:
    shown = python(*COMMAND, "demo", "--schema", "mine", DRAIVE_PG_DSN=empty_dsn)
    *opening, frame = snippet(shown).splitlines()
    assert "db = Client(schema='mine')" in opening
    code = "\n".join((*opening, f"print(len({frame}))"))
    assert python("-c", code, DRAIVE_PG_DSN=empty_dsn) == "591\n"
