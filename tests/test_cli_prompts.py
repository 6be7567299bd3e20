"""draive-pg prompts and configs: output, effects and exit codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from draive_pg import Client
from tests.cli_runner import (
    Shell,
    answer_prompt,
    assert_ok,
    assert_one_line_error,
    set_stdin,
    start_process,
)


@pytest.fixture
def run(shell: Shell, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a command on a fresh database."""
    monkeypatch.setenv("DRAIVE_PG_DSN", dsn)
    return shell


@pytest.fixture
def client(dsn: str) -> Iterator[Client]:
    with Client(dsn) as db:
        yield db


# --- Prompts

FILE = b"""+++
description = "How to greet"
arguments = [{name = "name"}]
meta.lang = "en"
+++
Hello {name}!

Be brief.
"""


def test_escape_sequences_are_written_unchanged_to_a_pipe(run: Shell, client: Client) -> None:
    client.instructions.define("coloured", content="\x1b[31mred")
    assert assert_ok(run("prompts", "show", "coloured")) == "\x1b[31mred\n"


def test_prompt_is_defined_from_file_and_shown_as_file(
    run: Shell, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "greeting.md"
    path.write_bytes(FILE)
    out = assert_ok(run("prompts", "define", "greeting", path, "-m", "why", "--author", "ada"))
    assert out.startswith("greeting is at revision 1 of ")
    (revision,) = client.instructions.history("greeting")
    assert revision.content == "Hello {name}!\n\nBe brief."
    assert revision.description == "How to greet"
    assert [argument["name"] for argument in revision.arguments] == ["name"]
    assert revision.meta == {"lang": "en"}
    assert (revision.author, revision.message) == ("ada", "why")

    path.write_text(assert_ok(run("prompts", "show", "greeting")))
    assert "revision 1" in assert_ok(run("prompts", "define", "greeting", path))  # unchanged
    shown = json.loads(assert_ok(run("prompts", "show", "greeting", "--json")))
    assert shown["content"] == revision.content


def test_define_with_text_only_keeps_declaration(
    run: Shell, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "greeting.md").write_bytes(FILE)
    assert_ok(run("prompts", "define", "greeting", tmp_path / "greeting.md"))
    set_stdin(monkeypatch, b"Hi {name}\n")
    assert_ok(run("prompts", "define", "greeting", "-"))
    newest = client.instructions.revision("greeting")
    assert (newest.revision, newest.content) == (2, "Hi {name}")
    assert newest.description == "How to greet"


def test_define_refuses_empty_standard_input(
    run: Shell, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_stdin(monkeypatch, b"")
    assert_one_line_error(run("prompts", "define", "greeting", "-"), "standard input is empty")
    assert not client.instructions.list()
    assert_ok(run("prompts", "define", "greeting", "--content", ""))


def test_define_reports_missing_or_invalid_input(run: Shell, tmp_path: Path) -> None:
    for arguments in ([], ["x.md", "--content", "x"]):
        done = run("prompts", "define", "greeting", *arguments)
        assert (done.code, done.out) == (2, "")
        assert "--content" in done.err
    assert_one_line_error(run("prompts", "define", "greeting", tmp_path / "no.md"), "no.md")
    (tmp_path / "bad.md").write_text("+++\nversion = 1\n+++\n")
    assert_one_line_error(run("prompts", "define", "x", tmp_path / "bad.md"), "bad.md", "'version'")
    (tmp_path / "bad.md").write_text("+++\narguments = [{name = 'a'}]\n+++\n{b}")
    assert_one_line_error(run("prompts", "define", "x", tmp_path / "bad.md"), "'b'", "declare")


@pytest.mark.filterwarnings("default")
def test_warning_is_printed_in_one_line(run: Shell, tmp_path: Path) -> None:
    (tmp_path / "greeting.md").write_text("+++\narguments = [{name = 'n'}]\n+++\nHi")
    done = run("prompts", "define", "greeting", tmp_path / "greeting.md")
    assert (done.code, done.err.count("\n")) == (0, 1)
    assert done.err.startswith("draive-pg: warning: ")
    assert "'n'" in done.err


def test_failed_precondition_exits_with_code_4(run: Shell) -> None:
    assert_ok(run("prompts", "define", "greeting", "--content", "1", "--expected", 0))
    done = run("prompts", "define", "greeting", "--content", "2", "--expected", 0)
    assert (done.code, done.out, done.err.count("\n")) == (4, "", 1)
    assert "revision 1" in done.err
    assert_ok(run("prompts", "define", "greeting", "--content", "2", "--expected", 1))


def test_labels_are_set_moved_listed_and_removed(run: Shell, client: Client) -> None:
    assert_ok(run("prompts", "define", "greeting", "--content", "1", "--label", "production"))
    assert_ok(run("prompts", "define", "greeting", "--content", "2"))
    assert assert_ok(run("prompts", "show", "greeting", "production")).endswith("+++\n1\n")
    out = assert_ok(run("prompts", "label", "greeting", "production", 2, "-m", "better"))
    assert out == "production is on revision 2 of greeting\n"
    (moved,) = json.loads(assert_ok(run("prompts", "labels", "--json")))
    assert (moved["name"], moved["label"], moved["revision"]) == ("greeting", "production", 2)
    moves = assert_ok(run("prompts", "history", "greeting", "--labels"))
    assert [line.split()[1] for line in moves.splitlines()[1:]] == ["2", "1"]
    assert assert_ok(run("prompts", "unlabel", "greeting", "production")) == "Removed.\n"
    assert run("prompts", "unlabel", "greeting", "production").code == 1
    assert client.instructions.labels() == ()
    late = run("prompts", "label", "greeting", "production", "--expected", 7)
    assert (late.code, late.out) == (4, "")


def test_history_search_compare_and_restore(run: Shell, client: Client) -> None:
    for content in ("Hello\nyou", "Hi\nyou"):
        client.instructions.define("greeting", content=content, author="ada")
    client.instructions.define("refund", content="Hello again")
    history = json.loads(assert_ok(run("prompts", "history", "greeting", "--json")))
    assert [each["revision"] for each in history] == [2, 1]
    assert history == json.loads(assert_ok(run("prompts", "search", "--author", "ada", "--json")))
    assert assert_ok(run("prompts", "history", "greeting")).count("\n") == 3
    found = json.loads(assert_ok(run("prompts", "search", "hello", "--current", "--json")))
    assert [each["name"] for each in found] == ["refund"]
    nothing = run("prompts", "search", "--until", "2020-01-01T00:00Z", "--json")
    assert (nothing.code, nothing.out, nothing.err) == (1, "[]\n", "")
    lines = assert_ok(run("prompts", "compare", "greeting", 1)).splitlines()
    assert lines[3:] == ["-Hello", "+Hi", " you"]
    assert_ok(run("prompts", "restore", "greeting", 1, "-m", "back"))
    assert client.instructions.load("greeting") == "Hello\nyou"
    assert [row["name"] for row in json.loads(assert_ok(run("prompts", "list", "--json")))] == [
        "greeting",
        "refund",
    ]


def test_missing_document_is_one_line_error(run: Shell, client: Client) -> None:
    client.instructions.define("greeting", content="Hello")
    assert_one_line_error(run("prompts", "show", "nope"), "nope")
    assert_one_line_error(run("prompts", "show", "greeting", 7), "no revision 7")
    assert_one_line_error(run("prompts", "show", "greeting", "nope"), "no label 'nope'")
    assert_one_line_error(run("prompts", "show", "greeting", "2001-01-01"), "as of 2001-01-01")
    assert_one_line_error(run("configs", "show", "nope"), "nope")
    assert run("prompts", "search", "--meta", "{").code == 2
    for command in ("prompts", "configs"):
        assert run(command, "history", "nope").code == 1


def test_control_characters_in_names_are_escaped(run: Shell, client: Client) -> None:
    client.instructions.define("red\x1b[31m\nfake", content="\x1b[2J")
    out = assert_ok(run("prompts", "list"))
    assert "red\\x1b[31m\\nfake" in out
    assert "\x1b" not in out
    assert json.loads(assert_ok(run("prompts", "list", "--json")))[0]["name"] == "red\x1b[31m\nfake"


# --- Removing


@pytest.mark.parametrize("command", [("prompts", "remove", "x"), ("configs", "remove", "x")])
def test_remove_requires_yes_without_terminal(
    run: Shell, client: Client, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    client.instructions.define("x", content="")
    client.configurations.define("x", {})
    set_stdin(monkeypatch, b"y\n")
    done = run(*command)
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert_ok(run(*command, "--yes"))
    gone = run(*command, "--yes")
    assert gone.code == 1


@pytest.mark.parametrize(("answer", "code", "left"), [(b"n\n", 1, 1), (b"y\n", 0, 0)])
def test_remove_asks_for_confirmation_on_terminal(
    run: Shell, client: Client, answer: bytes, code: int, left: int
) -> None:
    client.instructions.define("greeting", content="Hello")
    done, shown = answer_prompt("prompts", "remove", "greeting", answer=answer)
    assert done == code
    assert b"all revisions of 'greeting'" in shown
    assert len(client.instructions.available_instructions()) == left


# --- Configurations


def test_configurations_are_defined_shown_and_listed(
    run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = assert_ok(
        run("configs", "define", "limits", "--value", '{"tokens": 5, "a": {"é": null}}')
    )
    assert out.startswith("limits is at revision 1 of ")
    shown = assert_ok(run("configs", "show", "limits"))
    assert shown == '{\n  "a": {\n    "é": null\n  },\n  "tokens": 5\n}\n'
    (tmp_path / "limits.toml").write_text("tokens = 6")
    assert_ok(run("configs", "define", "limits", tmp_path / "limits.toml"))
    set_stdin(monkeypatch, b'{"tokens": 7}')
    assert_ok(run("configs", "define", "limits", "-", "--expected", 2))
    assert run("configs", "define", "limits", "--value", "{}", "--expected", 2).code == 4
    assert json.loads(assert_ok(run("configs", "show", "limits", 2))) == {"tokens": 6}
    history = json.loads(assert_ok(run("configs", "history", "limits", "--json")))
    assert [each["content"].get("tokens") for each in history] == [7, 6, 5]
    (newest,) = json.loads(assert_ok(run("configs", "list", "--json")))
    assert newest == history[0]
    assert "limits" in assert_ok(run("configs", "list"))
    assert_one_line_error(run("configs", "define", "limits", "--value", "[]"), "mapping")
    assert_one_line_error(run("configs", "define", "limits", "--value", "{"), "not JSON")
    assert run("configs", "define", "limits").code == 2


# --- Completion


def test_completion_does_not_import_slow_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import os, sys
os.environ |= {"COMP_WORDS": "draive-pg prompts p", "COMP_CWORD": "2"}
os.environ["_DRAIVE_PG_COMPLETE"] = "complete_bash"
from draive_pg.cli import main
try:
    main()
finally:
    slow = {"pandas", "draive", "rich", "tomli_w"} & {*sys.modules}
    assert not slow, slow
"""
    process = start_process(command=("-c", code))
    out, err = process.communicate(timeout=60)
    assert (sorted(out.split()), err, process.returncode) == (["promote", "pull", "push"], "", 0)
