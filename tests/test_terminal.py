"""Output at a terminal and in a pipe: no control characters, colours, widths, closed streams."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from draive_pg import Client
from draive_pg.display import terminal, text
from tests.cli_runner import REPOSITORY, Shell

# An OSC, a CSI, a C1, a carriage return, a bidi override, a backspace and a line separator.
HOSTILE = "\x1b]0;x\x07\x1b[31m\x9b31m\r\u202ebidi\u2066\x08\u2028"
CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

PROMPT, CONFIG, MEMORY = f"p{HOSTILE}", f"c{HOSTILE}", f"m{HOSTILE}"

# Every command that prints stored texts, its arguments, or the content of a file.
COMMANDS = [
    *("prompts list", "prompts show P", "prompts show P --json", "prompts history P"),
    *("prompts history P --labels", "prompts labels P", "prompts compare P 1", "prompts search c"),
    *("prompts show E", "prompts show P E", "prompts define E --content x", "prompts restore P 1"),
    *("prompts label P E 1", "prompts unlabel P E", "prompts unlabel P E", "prompts promote E E"),
    *("prompts rename E xE", "prompts remove xE --yes", "prompts pull FOLDER"),
    *("prompts status FOLDER", "prompts diff FOLDER", "prompts define x E", "prompts --E"),
    *("configs show C", "configs show E", "configs history C", "configs compare C 1"),
    *("memories list", "memories list --json", "memories show M", "memories show E"),
    *("memories show M --json", "memories show M --html", "memories show broken"),
    *("memories search red", "memories search red --json", "memories search x --language E"),
    *("memories fork M E", "memories rename E xE", "memories erase --prefix m --dry-run"),
    *("memories remove E --yes", "export memories FILE", "import memories BAD"),
    *("import chats CHATS", "import chats E", "export sessions EXPORT", "export E EXPORT"),
    *("doctor", "E", "setup --schema E"),
]
PIPED = [
    *("prompts list", "prompts show P --json", "prompts show P E", "prompts compare P 1"),
    *("memories list", "memories show M", "memories show M --html", "import chats CHATS"),
]


def fill_with_controls(dsn: str) -> None:
    with Client(dsn) as db, psycopg.connect(dsn, autocommit=True) as sql:
        function = {"name": f"t{HOSTILE}", "arguments": json.dumps({f"k{HOSTILE}": HOSTILE})}
        call = {"id": "c1", "type": "function", "function": function}
        db.memories.import_chat(
            MEMORY,
            [
                {"role": "user", "content": f"hi red {HOSTILE}"},
                {"role": "assistant", "content": HOSTILE, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": HOSTILE},
                {"role": "assistant", "content": "x"},
            ],
        )
        sql.execute("INSERT INTO memories (identifier) VALUES ('broken')")
        for document in ({"type": HOSTILE}, HOSTILE, [HOSTILE]):
            sql.execute(
                "INSERT INTO memories_elements (identifier, content) VALUES ('broken', %s)",
                [json.dumps(document)],
            )
            sql.execute(
                "INSERT INTO memories_variables (identifier, variables) VALUES ('broken', %s)",
                [json.dumps(document)],
            )
        note: Any = {"author": HOSTILE, "message": HOSTILE}
        db.instructions.define(PROMPT, content=f"c{HOSTILE}", **note)
        db.instructions.define(PROMPT, content=f"{HOSTILE}\nc\n{HOSTILE}", **note)
        db.instructions.label(PROMPT, f"l{HOSTILE}x", 1, **note)
        db.configurations.define(CONFIG, {f"k{HOSTILE}": HOSTILE})
        db.configurations.define(CONFIG, {f"k{HOSTILE}": f"{HOSTILE}2"})


@pytest.mark.parametrize(
    ("at_terminal", "commands"), [(True, COMMANDS), (False, PIPED)], ids=["terminal", "pipe"]
)
def test_no_command_prints_control_characters(
    shell: Shell,
    dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    at_terminal: bool,
    commands: list[str],
) -> None:
    fill_with_controls(dsn)
    monkeypatch.setenv("TERM", "dumb")  # where rich prints no escape sequences of its own
    monkeypatch.setenv("DRAIVE_PG_DSN", dsn)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: at_terminal)
    chats, bad = tmp_path / f"chats{HOSTILE}.jsonl", tmp_path / f"bad{HOSTILE}.jsonl"
    chats.write_text(json.dumps({"messages": [{"role": HOSTILE, "content": "x"}]}) + f"\n{HOSTILE}")
    bad.write_text(
        json.dumps({"identifier": HOSTILE, "created": HOSTILE, "variables": [], "elements": []})
    )
    words = {
        "P": PROMPT,
        "C": CONFIG,
        "M": MEMORY,
        "E": HOSTILE,
        "xE": f"x{HOSTILE}",
        "--E": f"--{HOSTILE}",
        "CHATS": str(chats),
        "BAD": str(bad),
        "FOLDER": str(tmp_path / f"folder{HOSTILE}"),
        "FILE": str(tmp_path / f"file{HOSTILE}.jsonl"),
        "EXPORT": str(tmp_path / f"export{HOSTILE}.csv"),
    }
    printed = 0
    for command in commands:
        done = shell(*(words.get(word, word) for word in command.split()))
        stored = not at_terminal and re.match("(prompts|configs) show|.* --html", command)
        found = CONTROLS.findall(done.err if stored else done.out + done.err)
        assert not found, (command, found, done)
        assert "Traceback" not in done.err, (command, done)
        printed += bool(done.out + done.err)
    assert printed > len(commands) - 5


def test_no_printed_record_has_control_characters(dsn: str) -> None:
    fill_with_controls(dsn)
    with Client(dsn) as db:
        for printed in (
            *(db.memory(MEMORY).show(), db.memory("broken").show(), db.memories.list()),
            *(db.instructions.diff(PROMPT, 1), db.configurations.diff(CONFIG, 1)),
            *(db.instructions.history(PROMPT), db.instructions.label_history(PROMPT)),
            *(db.instructions.labels(), db.configurations.list(), db.instructions.search("c")),
            db.memories.erase("m", dry_run=True),
        ):
            assert not CONTROLS.search(str(printed)), printed
            assert not CONTROLS.search(repr(printed)), printed


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_colours_can_be_turned_off(
    shell: Shell,
    dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    *,
    coloured: bool,
) -> None:
    with Client(dsn) as db:
        db.instructions.define("p", content="1")
        db.instructions.define("p", content="2")
        db.instructions.pull(tmp_path)
    (tmp_path / "p.md").write_text("3\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in ({"TERM": "xterm"} | variables).items():
        monkeypatch.setenv(name, value)
    for command in (["compare", "p", "1"], ["diff", tmp_path]):
        done = shell("prompts", *command, "--dsn", dsn)
        assert ("\x1b[32m+" in done.out) == coloured, done
        assert ("\x1b[3" in done.out) == coloured, done
    table = shell("prompts", "history", "p", "--dsn", dsn).out
    assert "\x1b[3" not in table  # no colour; bold is allowed


def test_closed_standard_streams_are_ignored(dsn: str, tmp_path: Path) -> None:
    with Client(dsn) as db:
        db.instructions.define("p", content="x")
    program = f"exec {sys.executable} -W error -m draive_pg"
    for command in ("prompts list", "--help"):
        done = subprocess.run(
            ["sh", "-c", f"{program} {command} >&- <&-"],
            env={**os.environ, "DRAIVE_PG_DSN": dsn, "PYTHONPATH": str(REPOSITORY)},
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b""), command


ROWS = [
    ["support/refunds/first-answer", 12_345, MOMENT, "production, staging", "a long reason " * 8],
    ["short", 7, MOMENT, "", "漢字" * 40],
]
NAMES = ("name", "revision", "created", "labels", "message")


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("printed", ["by a command", "as records"])
def test_narrow_terminals_keep_names_numbers_and_times(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, printed: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    if printed == "as records":
        out = text.table(NAMES, ROWS)
    else:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        terminal.show(NAMES, ROWS)
        out = capsys.readouterr().out
        assert re.sub(r"\s", "", out).count("漢") == 40
    assert max(map(text.width_of, out.splitlines())) <= width
    for whole in ("support/refunds/first-answer", "12,345"):
        assert whole in out
    if width > 40 or printed == "by a command":
        assert "2026-01-02 03:04:05" in out


def test_large_tables_are_written_to_a_pipe_quickly(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[f"name/{n}", n, MOMENT, "production", "x" * 1_000] for n in range(10_000)]
    start = time.process_time()
    terminal.show(NAMES, [*rows, ["last", 1, MOMENT, "y" * 1_000, "z"]])
    assert time.process_time() - start < 2
    out = capsys.readouterr().out
    assert out.count("\n") == 10_002
    assert len(out) < 12_000_000  # a long value does not widen the other rows
    assert out.splitlines()[1].split() == [
        "name/0",
        "0",
        *str(MOMENT)[:19].split(),
        "production",
        "x" * 1_000,
    ]


def test_traceback_is_printed_once(shell: Shell, dsn: str) -> None:
    done = shell("--traceback", "memories", "fork", "nope", "new", "--dsn", dsn)
    assert done.code == 1
    assert done.err.count("Traceback (most recent call last)") == 1
    assert "operations/conversations" in done.err
    assert done.err.splitlines()[-1].startswith("draive-pg: ")
