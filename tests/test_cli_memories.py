"""draive-pg memories: output, effects and exit codes."""

import json
import os
import pty
import shlex
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import typer

from draive_pg import Client
from draive_pg.cli.options import duration
from draive_pg.display import terminal
from tests.cli_runner import Shell, answer_prompt, assert_ok, assert_one_line_error, set_stdin
from tests.elements import move_times
from tests.markdown_blocks import fences

PRUNING = Path(__file__).parents[1] / "docs" / "how-to" / "prune.md"

CALL = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Is the red bike there?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "1", "content": "two"},
    {"role": "assistant", "content": "Two of them."},
]


@pytest.fixture
def run(shell: Shell, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a command of memories on a fresh database."""
    monkeypatch.setenv("DRAIVE_PG_DSN", dsn)
    return lambda *arguments: shell("memories", *arguments)


@pytest.fixture
def client(dsn: str) -> Iterator[Client]:
    with Client(dsn) as db:
        yield db


@pytest.fixture
def three(client: Client, sql: psycopg.Connection) -> Client:
    """Three memories: last written to now, and 10 and 100 days ago."""
    for name, days in (("a/new", 0), ("a/old", 10), ("b/older", 100)):
        client.memories.import_chat(name, CHAT)
        for table in ("memories", "memories_variables", "memories_elements"):
            move_times(sql, table, timedelta(days=-days), name)
    return client


# --- Reading


def test_list_shows_titles_if_there_are_some(run: Shell, client: Client) -> None:
    client.memories.import_chats([{"id": "a", "title": "Bikes", "messages": CHAT}])
    client.memories.import_chat("b", CHAT)
    header, *rows = assert_ok(run("list")).splitlines()
    assert header.split()[:3] == ["identifier", "title", "elements"]
    assert [row.split()[:3] for row in rows] == [["a", "Bikes", "4"], ["b", "-", "4"]]


def test_list_shows_counts_and_sizes(run: Shell, three: Client) -> None:
    header, *rows = assert_ok(run("list")).splitlines()
    assert header.split() == ["identifier", "elements", "variables", "size", "created", "last"]
    assert [row.split()[:3] for row in rows] == [
        [name, "4", "1"] for name in ("a/new", "a/old", "b/older")
    ]
    listed = json.loads(assert_ok(run("list", "--json", "--order", "last")))
    assert [each["identifier"] for each in listed] == ["b/older", "a/old", "a/new"]
    assert listed[0]["bytes"] == three.memories.list("b/")[0].bytes
    since = f"{listed[1]['last']}"
    options = ("--since", since, "--prefix", "a/", "--order", "created", "--descending")
    assert assert_ok(run("list", *options)).split()[6] == "a/new"
    assert run("list", "--until", "2020-01-01").err == "There are no such memories.\n"
    assert run("list", "--order", "colour").code == 2


def test_list_page_prints_next_offset(run: Shell, three: Client) -> None:
    page = run("list", "--limit", 2, "--json")
    assert [each["identifier"] for each in json.loads(page.out)] == ["a/new", "a/old"]
    assert page.err == "2 of 3; the next page: --offset 2\n"
    assert assert_ok(run("list", "--limit", 2, "--offset", 2)).splitlines()[1].startswith("b/older")
    assert assert_ok(run("list", "--limit", 2, "--prefix", "a/")).count("\n") == 3
    assert assert_ok(run("list", "--limit", 1, "--all")).count("\n") == 4


def test_show_prints_transcript(run: Shell, three: Client) -> None:
    assert assert_ok(run("show", "a/old")) == f"{three.memory('a/old').show()}\n"
    newest = assert_ok(run("show", "a/old", "--limit", 1))
    assert "Two of them." in newest
    assert "red bike" not in newest
    assert (
        assert_ok(run("show", "a/old", "--html")) == f"{three.memory('a/old').show().to_html()}\n"
    )
    log = json.loads(assert_ok(run("show", "a/old", "--json")))
    assert [each["text"] for each in log][::3] == ["Is the red bike there?", "Two of them."]
    assert json.loads(assert_ok(run("show", "a/old", "--json", "--limit", 1))) == log[-1:]
    three.memory("empty").maintenance()
    assert assert_ok(run("show", "empty")).startswith("empty: 0 elements")
    assert json.loads(assert_ok(run("show", "empty", "--json"))) == []
    assert run("show", "a/old", "--html", "--json").code == 2
    assert_one_line_error(run("show", "nope"), "no memory 'nope'")
    assert_one_line_error(run("show", "nope", "--json"), "no memory 'nope'")


def test_wrapped_lines_keep_indentation_on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        stdout.write(terminal.wrapped("#0\n    one two three four five") + "\n")
    shown = os.read(ours, 1024).decode().split("\r\n")
    os.close(ours)
    assert shown == ["#0", "    one two three", "    four five", ""]


def test_search_finds_elements(run: Shell, three: Client) -> None:
    header, *rows = assert_ok(run("search", "red -blue", "--identifier", "a/new")).splitlines()
    assert header.split() == ["identifier", "position", "created", "speaker", "excerpt"]
    assert len(rows) == 1
    assert "[[red]]" in rows[0]
    options = ("--tool", "find", "--role", "output", "--no-error", "--since", "2020-01-01")
    done = run("search", *options, "--limit", 2, "--json")
    assert [each["identifier"] for each in json.loads(done.out)] == ["a/new", "a/old"]
    assert done.err == "the first 2, there are more: --limit shows more\n"
    variables = ("--variables", '{"system": "Be brief."}')
    assert len(
        json.loads(assert_ok(run("search", "bikes", *variables, "--language", "english", "--json")))
    )
    nothing = run("search", "bikes")
    assert (nothing.code, nothing.out, nothing.err) == (1, "", "Nothing was found.\n")


def test_search_says_that_the_limit_left_elements_out(run: Shell, three: Client) -> None:
    assert run("search", "red", "--limit", 2).err == (
        "the first 2, there are more: --limit shows more\n"
    )
    assert run("search", "red", "--limit", 3).err == ""


# --- Forks and renames


def test_fork_and_rename(run: Shell, three: Client) -> None:
    assert assert_ok(run("fork", "a/new", "copy")) == "Copied 'a/new' to 'copy'.\n"
    assert_ok(run("fork", "a/new", "part", "--position", 0))
    assert [len(three.memory(name).log()) for name in ("copy", "part")] == [4, 1]
    assert assert_ok(run("rename", "part", "beginning")) == "Renamed 'part' to 'beginning'.\n"
    assert three.memories.identifiers() == ("a/new", "a/old", "b/older", "beginning", "copy")
    for command in ("fork", "rename"):
        assert_one_line_error(run(command, "copy", "a/new"), "'a/new'")
        assert_one_line_error(run(command, "nope", "new"), "'nope'")


# --- Removing


def test_remove_names_missing_memories(run: Shell, three: Client) -> None:
    some = run("remove", "a/new", "nope", "--yes")
    assert (some.code, some.out) == (1, "Removed 1 of 2.\n")
    assert "'nope'" in some.err
    assert three.memories.identifiers() == ("a/old", "b/older")


OLD = ("prune", "--older-than", "5d")
WITHIN = ("erase", "--prefix", "a/")


@pytest.mark.parametrize(
    ("command", "gone"),
    [
        (OLD, ["b/older", "a/old"]),
        (("prune", "--older-than", "2400h"), ["b/older"]),
        (("prune", "--keep", 1, "--prefix", "a/"), ["a/old"]),
        ((*OLD, "--keep", 2), ["b/older"]),
        (WITHIN, ["a/new", "a/old"]),
        (("erase", "a/new", "b/older"), ["a/new", "b/older"]),
        ((*WITHIN, "--variables", '{"system": "Be brief."}'), ["a/new", "a/old"]),
        (("erase", "--meta", '{"x": 1}'), []),
    ],
)
def test_prune_and_erase_remove_what_dry_run_lists(
    run: Shell, three: Client, command: tuple[object, ...], gone: list[str]
) -> None:
    would = json.loads(assert_ok(run(*command, "--dry-run", "--json")))
    assert (would["identifiers"], would["dry_run"]) == (gone, True)
    said = assert_ok(run(*command, "--dry-run", "--yes")).splitlines()
    assert said[0].startswith(
        f"Would remove {len(gone)} memor" if gone else "There is nothing to remove."
    )
    assert [line.strip() for line in said[1:]] == gone
    assert len(three.memories.identifiers()) == 3
    did = json.loads(assert_ok(run(*command, "--yes", "--json")))
    assert {*did.pop("identifiers")} == {*would.pop("identifiers")} == {*gone}
    assert did == {**would, "dry_run": False}
    assert not {*three.memories.identifiers()} & {*gone}


@pytest.mark.parametrize("command", [OLD, WITHIN, ("remove", "a/new")])
def test_removal_requires_yes_without_terminal(
    run: Shell, three: Client, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    set_stdin(monkeypatch, b"y\n")
    done = run(*command)
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert len(three.memories.identifiers()) == 3


@pytest.mark.parametrize("command", [OLD, WITHIN])
@pytest.mark.parametrize(("answer", "code", "left"), [(b"n\n", 1, 3), (b"y\n", 0, 1)])
def test_removal_asks_for_confirmation_on_terminal(
    run: Shell, three: Client, command: tuple[str, ...], answer: bytes, code: int, left: int
) -> None:
    done, shown = answer_prompt("memories", *command, answer=answer)
    assert done == code
    assert b"Would remove 2 memories (8 elements, 2 snapshots of variables)" in shown
    assert b"  a/old\r\n" in shown
    assert len(three.memories.identifiers()) == left


def test_prune_removes_expired_memories(run: Shell, three: Client) -> None:
    assert "There are no times to live." in run("ttl").err
    set_ttl = assert_ok(run("ttl", "5d", "--prefix", "a/"))
    assert set_ttl == "The prefix a/ has a time to live of 5 d.\n"
    assert_ok(run("ttl", "999d", "--identifier", "a/old"))
    assert json.loads(assert_ok(run("ttl", "--json"))) == [
        {"name": "a/old", "is_prefix": False, "ttl": 999 * 86400},
        {"name": "a/", "is_prefix": True, "ttl": 5 * 86400},
    ]
    assert assert_ok(run("prune", "--expired", "--dry-run")) == "There is nothing to remove.\n"
    removed = assert_ok(run("ttl", "none", "--identifier", "a/old"))
    assert removed == "The memory a/old has no time to live of its own.\n"
    assert assert_ok(run("prune", "--expired", "--yes")).startswith("Removed 1 memory (")
    assert three.memories.identifiers() == ("a/new", "b/older")


def test_documented_prune_commands_work(run: Shell, three: Client) -> None:
    (_, _, code), *_ = fences(PRUNING.read_text(encoding="utf-8"))
    look, do = (shlex.split(line)[2:] for line in code.splitlines())
    assert assert_ok(run(*look)).endswith("\n  b/older\n")
    assert assert_ok(run(*do)).startswith("Removed 1 memory (")
    assert three.memories.identifiers() == ("a/new", "a/old")


def test_dry_run_truncates_long_list(run: Shell, client: Client) -> None:
    for number in range(22):
        client.memory(f"n/{number:02}\x1b[2J").maintenance()
    lines = assert_ok(run("erase", "--prefix", "n/", "--dry-run")).splitlines()
    assert len(lines) == 22
    assert lines[1] == "  n/00\\x1b[2J"
    assert lines[-1] == "  and 2 more; --dry-run --json lists all"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("prune",), "--older-than"),
        (("ttl", "5d"), "either --identifier or --prefix"),
        (("ttl", "5d", "--identifier", "a", "--prefix", "a"), "either --identifier or --prefix"),
        (("ttl", "--prefix", "a"), "give TTL"),
        (("ttl", "soon", "--prefix", "a"), "90d, 12h or 30m, not 'soon'"),
        (("prune", "--older-than", "soon"), "90d, 12h or 30m, not 'soon'"),
        (("prune", "--older-than", "-1d"), "90d"),
        (("erase",), "--variables"),
        (("erase", "--variables", "{}"), "--variables"),
        (("erase", "--meta", "[]"), "'--meta': expected a JSON object"),
        (("search", "--variables", "{"), "'--variables': not JSON"),
        (("list", "--since", "soon"), "'--since': it must be a time"),
    ],
)
def test_invalid_options_are_rejected_before_io(
    shell: Shell, arguments: tuple[str, ...], part: str
) -> None:
    done = shell("memories", *arguments, "--dsn", "host=nowhere.invalid")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert part in done.err


def test_duration_requires_unit() -> None:
    assert duration("90d") == timedelta(days=90)
    assert duration("12h") == timedelta(hours=12)
    assert duration("30m") == timedelta(minutes=30)
    for text in ("", "90", "d", "1.5d", "1 d", "1y", "٣d", "1d\n", "9999999d"):
        with pytest.raises(typer.BadParameter):
            duration(text)


def test_longest_duration_is_accepted(run: Shell, three: Client) -> None:
    out = assert_ok(run("prune", "--older-than", "999999d", "--yes"))
    assert not out.startswith("Would remove")
    assert len(three.memories.identifiers()) == 3


# --- Files


def test_export_and_import_into_another_database(
    run: Shell, three: Client, shell: Shell, empty_dsn: str, tmp_path: Path
) -> None:
    path = tmp_path / "memories.jsonl.gz"
    out = assert_ok(shell("export", "memories", path, "--prefix", "a/"))
    assert out.startswith(f"Exported 2 memories (8 elements, 2 snapshots of variables) to {path}")
    there = ("--dsn", empty_dsn)
    assert_ok(shell("setup", *there))
    out = assert_ok(shell("import", "memories", path, *there))
    assert out.startswith("Imported 2 memories (8 elements, 2 snapshots of variables) in ")
    assert "0 memories" in (again := assert_ok(shell("import", "memories", path, *there)))
    assert ", 2 unchanged in " in again
    done = json.loads(assert_ok(shell("export", "memories", path, "b/older", "--json")))
    assert (done["path"], done["memories"]) == (str(path), 1)
    done = json.loads(assert_ok(shell("import", "memories", path, *there, "--json")))
    assert (done["memories"], done["unchanged"]) == (1, 0)
    with Client(empty_dsn) as other:
        assert str(other.memory("b/older").show()) == str(three.memory("b/older").show())


def test_failed_export_or_import_is_one_line_error(
    shell: Shell, run: Shell, three: Client, tmp_path: Path
) -> None:
    path = tmp_path / "chat.jsonl"
    assert_one_line_error(shell("export", "memories", path, "nope"), "no memory 'nope'")
    assert not path.exists()
    path.write_text(json.dumps({"id": "x", "messages": CHAT}))
    assert_one_line_error(shell("import", "memories", path), "line 1", "draive-pg import chats")
    assert_ok(shell("export", "memories", path, "a/new"))
    three.memory("a/new").remember(variables={"x": 1})
    assert_one_line_error(shell("import", "memories", path), "'a/new'", "other content")
    assert_one_line_error(shell("import", "memories", tmp_path / "none"), "none")
    nowhere = tmp_path / "nowhere" / "file.jsonl"
    assert_one_line_error(
        shell("export", "memories", nowhere), f"No such file or directory: {str(nowhere)!r}"
    )


def test_import_chat_of_exported_memories_suggests_command(
    shell: Shell, run: Shell, three: Client, dsn: str, tmp_path: Path
) -> None:
    assert_ok(shell("export", "memories", tmp_path / "all.jsonl"))
    done = shell("import", "chats", tmp_path / "all.jsonl", "--dsn", dsn)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.count("draive-pg import memories") == 1
