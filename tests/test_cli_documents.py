"""The commands that draive-pg prompts and configs have in common, on both kinds of documents."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from draive_pg import Client
from tests.cli_runner import Shell, assert_ok, assert_one_line_error


@dataclass(frozen=True)
class Case:
    command: str
    option: str
    key: str
    values: tuple[str, str, str]
    contents: tuple[object, object, object]


CASES = [
    Case("prompts", "--content", "name", ("one", "two", "three"), ("one", "two", "three")),
    Case(
        "configs",
        "--value",
        "identifier",
        ('{"n": 1}', '{"n": 2}', '{"n": 3}'),
        ({"n": 1}, {"n": 2}, {"n": 3}),
    ),
]


@pytest.fixture(params=CASES, ids=lambda case: case.command)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def run(shell: Shell, dsn: str, case: Case, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a command of either group on a fresh database."""
    monkeypatch.setenv("DRAIVE_PG_DSN", dsn)
    return lambda *arguments: shell(case.command, *arguments)


@pytest.fixture
def defined(run: Shell, case: Case) -> Case:
    """Two revisions of one document."""
    assert_ok(run("define", "x", case.option, case.values[0], "--author", "ada", "-m", "first"))
    assert_ok(run("define", "x", case.option, case.values[1]))
    return case


def show(run: Shell, *arguments: object) -> dict[str, object]:
    return json.loads(assert_ok(run("show", *arguments, "--json")))


def test_both_groups_have_the_same_commands(shell: Shell) -> None:
    groups = [
        [line.split()[0] for line in shell(case.command, "--help").out.split("Commands:")[1:]]
        for case in CASES
    ]
    assert groups[0] == groups[1] != []


def test_author_and_message_are_kept(run: Shell, defined: Case) -> None:
    first = show(run, "x", 1)
    assert (first["author"], first["message"]) == ("ada", "first")
    assert (first[defined.key], first["content"]) == ("x", defined.contents[0])
    (found,) = json.loads(assert_ok(run("search", "--author", "ada", "--json")))
    assert found == first
    history = json.loads(assert_ok(run("history", "x", "--json")))
    assert [each["revision"] for each in history] == [2, 1]


def test_labels_are_moved_promoted_and_removed(run: Shell, defined: Case) -> None:
    done = assert_ok(
        run("define", "x", defined.option, defined.values[2], "--label", "staging", "--json")
    )
    assert json.loads(done)["labels"] == ["staging"]
    assert_ok(run("label", "x", "production", 1, "-m", "why"))
    assert show(run, "x", "production")["revision"] == 1
    assert run("label", "x", "production", 2, "--expected", 7).code == 4
    moved = json.loads(assert_ok(run("promote", "staging", "production", "--json")))
    assert [(each["label"], each["revision"]) for each in moved] == [("production", 3)]
    assert len(json.loads(assert_ok(run("labels", "--json")))) == 2
    assert len(json.loads(assert_ok(run("history", "x", "--labels", "--json")))) == 3
    assert assert_ok(run("unlabel", "x", "production")) == "Removed.\n"
    assert run("unlabel", "x", "production").code == 1


@pytest.mark.parametrize("label", ["2024-release", "2026-01-02", "1st"])
def test_a_label_may_begin_with_a_digit(run: Shell, defined: Case, label: str) -> None:
    assert_ok(run("label", "x", label, 1))
    assert show(run, "x", label)["revision"] == 1
    assert_ok(run("compare", "x", label, 2))
    assert_ok(run("unlabel", "x", label))


def test_a_revision_is_chosen_by_time(run: Shell, defined: Case) -> None:
    assert show(run, "x", "2999-01-01")["revision"] == 2
    assert_one_line_error(run("show", "x", "2000-01-01"), "2000-01-01")


def test_compare_and_restore(run: Shell, defined: Case) -> None:
    lines = assert_ok(run("compare", "x", 1)).splitlines()
    assert any(line.startswith("-") and not line.startswith("---") for line in lines)
    assert any(line.startswith("+") and not line.startswith("+++") for line in lines)
    assert run("restore", "x", 1, "--expected", 1).code == 4
    assert_ok(run("restore", "x", 1, "-m", "back", "--expected", 2))
    restored = show(run, "x")
    assert (restored["revision"], restored["message"]) == (3, "back")
    assert restored["content"] == defined.contents[0]


def test_rename_keeps_revisions_and_labels(run: Shell, defined: Case) -> None:
    assert_ok(run("label", "x", "production", 1))
    assert assert_ok(run("rename", "x", "team/x")) == "Renamed 'x' to 'team/x'.\n"
    assert show(run, "team/x", "production")["revision"] == 1
    assert_one_line_error(run("show", "x"), "x")
    assert_ok(run("define", "x", defined.option, defined.values[0]))
    assert_one_line_error(run("rename", "x", "team/x"), "team/x")


def test_a_shown_document_can_be_defined_again(run: Shell, defined: Case, tmp_path: Path) -> None:
    suffix = ".md" if defined.command == "prompts" else ".json"
    file = tmp_path / f"x{suffix}"
    file.write_text(assert_ok(run("show", "x")))
    assert "revision 2" in assert_ok(run("define", "x", file))


def test_a_push_keeps_author_and_message(
    run: Shell, defined: Case, dsn: str, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    assert_ok(run("pull", folder))
    (file,) = [each for each in folder.iterdir() if not each.name.startswith(".")]
    assert_ok(run("define", "x", file, "--expected", 2))
    file.write_text(defined.values[2])
    assert_ok(run("push", folder, "-m", "pushed", "--author", "bo"))
    with Client(dsn) as db:
        documents = db.instructions if defined.command == "prompts" else db.configurations
        newest = documents.history("x")[0]
    assert (newest.message, newest.author, newest.content) == ("pushed", "bo", defined.contents[2])
