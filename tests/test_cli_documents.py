"""The commands that draive-pg prompts and configs have in common, on both kinds of documents."""

import json
from collections.abc import Iterator
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


def test_author_and_message_are_stored(run: Shell, defined: Case) -> None:
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
def test_label_can_start_with_digit(run: Shell, defined: Case, label: str) -> None:
    assert_ok(run("label", "x", label, 1))
    assert show(run, "x", label)["revision"] == 1
    assert_ok(run("compare", "x", label, 2))
    assert_ok(run("unlabel", "x", label))


def test_show_selects_revision_by_time(run: Shell, defined: Case) -> None:
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


def test_define_accepts_output_of_show(run: Shell, defined: Case, tmp_path: Path) -> None:
    suffix = ".md" if defined.command == "prompts" else ".json"
    file = tmp_path / f"x{suffix}"
    file.write_text(assert_ok(run("show", "x")))
    assert "revision 2" in assert_ok(run("define", "x", file))


def test_push_stores_author_and_message(
    run: Shell, defined: Case, dsn: str, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    pulled = run("pull", folder)
    assert pulled.code == 0
    assert pulled.err.splitlines()[0].startswith("Pull from host=")
    (file,) = [each for each in folder.iterdir() if not each.name.startswith(".")]
    assert_ok(run("define", "x", file, "--expected", 2))
    file.write_text(defined.values[2])
    assert run("push", folder, "-m", "pushed", "--author", "bo").code == 0
    with Client(dsn) as db:
        documents = db.instructions if defined.command == "prompts" else db.configurations
        newest = documents.history("x")[0]
    assert (newest.message, newest.author, newest.content) == ("pushed", "bo", defined.contents[2])


def test_a_release_moves_a_label_of_several_documents(run: Shell, defined: Case) -> None:
    for name in ("y", "a=b"):
        assert_ok(run("define", name, defined.option, defined.values[2]))
    moved = json.loads(assert_ok(run("release", "production", "x=1", "y", "a=b=", "--json")))
    assert [(each["name"], each["revision"]) for each in moved] == [("x", 1), ("y", 1), ("a=b", 1)]
    done = run("release", "production", "x=2", "y", "--expected", "x=2")
    assert (done.code, done.out) == (4, "")
    assert "the label is on revision 1" in done.err
    assert_ok(run("release", "production", "x=2", "y", "--expected", "x=1", "-m", "why"))
    assert show(run, "x", "production")["revision"] == 2
    done = run("release", "production", "x=2", "--expected", "x")
    assert (done.code, done.out) == (2, "")
    assert "NAME=NUMBER" in done.err


def test_a_promotion_that_moves_nothing_fails(run: Shell, defined: Case) -> None:
    assert_one_line_error(run("promote", "stagin", "production"), "label 'stagin'")
    assert run("promote", "latest", "production").code == 1
    assert_ok(run("promote", "latest", "production", "x"))


def test_a_labelled_revision_is_removed_on_request_only(run: Shell, defined: Case) -> None:
    assert_ok(run("label", "x", "production", 1))
    assert_one_line_error(run("remove", "x", "--yes"), "'production'", "labelled=True")
    assert run("remove", "x", 2, "--yes", "--expected", 1).code == 4
    assert assert_ok(run("remove", "x", 2, "--yes")) == "Removed 1 revision of 'x'.\n"
    assert run("unlabel", "x", "production", "--expected", 2).code == 4
    assert_ok(run("remove", "x", "--yes", "--labelled"))


@pytest.mark.filterwarnings("default")
def test_labels_in_a_file_are_not_moved_without_saying_so(
    run: Shell, case: Case, tmp_path: Path
) -> None:
    files = {
        "prompts": ("a.md", '+++\nlabels = ["production", "staging"]\n+++\nHi'),
        "configs": ("a.json", '{"$labels": ["production", "staging"]}'),
    }
    name, text = files[case.command]
    (tmp_path / name).write_text(text)
    done = run("define", "x", tmp_path / name, "--label", "staging")
    assert done.code == 0
    assert "labels" in done.err
    assert "use --label 'production'" in done.err
    assert run("label", "x", "production").err == ""
    shown = assert_ok(run("show", "x"))
    assert ("labels" in shown) == (case.command == "prompts")


def test_a_search_that_finds_nothing_exits_with_1(run: Shell, defined: Case) -> None:
    done = run("search", "nowhere")
    assert (done.code, done.out, done.err) == (1, "", "Nothing was found.\n")


def test_a_missing_file_is_named(run: Shell) -> None:
    done = run("define", "x", "missing.md")
    assert_one_line_error(done, "there is no file 'missing.md'")
    assert "Errno" not in done.err


def test_labels_may_begin_with_a_digit(run: Shell, defined: Case) -> None:
    for label in ("2024-release", "2024-01-02", "1a"):
        assert_ok(run("label", "x", label, 1))
        assert show(run, "x", label)["revision"] == 1


def removals(dsn: str) -> list[tuple[object, ...]]:
    """Return name, revision, author and message of the audited removals."""
    with Client(dsn) as db:
        found = db.frames.audit()
    columns = ["name", "revision", "author", "message"]
    rows = found.loc[found["action"] == "remove", columns]
    return list(rows.itertuples(index=False, name=None))


def test_rename_stores_author_and_message(run: Shell, defined: Case, dsn: str) -> None:
    done = run("rename", "x", "y", "-m", "clearer", "--author", "bo", "--json")
    renamed = json.loads(assert_ok(done))
    assert renamed == show(run, "y")
    assert (renamed[defined.key], renamed["revision"]) == ("y", 2)
    message = "renamed to 'y': clearer"
    assert removals(dsn) == [("x", 1, "bo", message), ("x", 2, "bo", message)]


def test_remove_stores_author_and_message(run: Shell, defined: Case, dsn: str) -> None:
    done = run("remove", "x", 1, "--yes", "-m", "unused", "--author", "bo", "--json")
    assert json.loads(assert_ok(done)) == {"name": "x", "removed": 1}
    assert removals(dsn) == [("x", 1, "bo", "unused")]
    done = run("remove", "y", "--yes", "--json")
    assert (done.code, json.loads(done.out)) == (1, {"name": "y", "removed": 0})


def test_unlabel_stores_author_and_message(run: Shell, defined: Case) -> None:
    assert_ok(run("label", "x", "production"))
    done = run("unlabel", "x", "production", "-m", "paused", "--author", "bo", "--json")
    expected = {"name": "x", "label": "production", "removed": True}
    assert json.loads(assert_ok(done)) == expected
    newest, *_ = json.loads(assert_ok(run("history", "x", "--labels", "--json")))
    assert (newest["revision"], newest["author"], newest["message"]) == (None, "bo", "paused")
    done = run("unlabel", "x", "production", "--json")
    assert (done.code, json.loads(done.out)) == (1, {**expected, "removed": False})


def test_compare_prints_both_revisions_as_json(run: Shell, defined: Case) -> None:
    found = json.loads(assert_ok(run("compare", "x", 1, "--json")))
    assert [found[side]["revision"] for side in "ab"] == [1, 2]
    assert [found[side]["content"] for side in "ab"] == list(defined.contents[:2])


# --- All kinds at once


@pytest.fixture
def client(dsn: str) -> Iterator[Client]:
    with Client(dsn) as db:
        yield db


@pytest.fixture
def every(shell: Shell, client: Client, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a command on a database with two revisions of a prompt and of a configuration."""
    monkeypatch.setenv("DRAIVE_PG_DSN", dsn)
    for number in (1, 2):
        client.release(prompts={"x": f"{number}"}, configurations={"x": {"n": number}})
    return shell


def labelled(db: Client, label: str) -> list[int | None]:
    """Return the revisions of the prompt and the configuration with a label."""
    return [
        each.revision
        for documents in (db.instructions, db.configurations)
        for each in documents.labels("x")
        if each.label == label
    ]


def test_a_label_of_all_kinds_is_released_promoted_and_rolled_back(
    every: Shell, client: Client
) -> None:
    names = ("prompts:x", "configs:x")
    note = ("-m", "why", "--author", "bo")
    assert_ok(every("release", "production", "prompts:x=1", "configs:x=1", *note))
    assert labelled(client, "production") == [1, 1]
    assert_ok(every("release", "staging", *names))
    moved = json.loads(assert_ok(every("promote", "staging", "production", *note, "--json")))
    for command in ("prompts", "configs"):
        (move,) = moved[command]
        assert (move["name"], move["revision"], move["author"]) == ("x", 2, "bo")
    assert labelled(client, "production") == [2, 2]
    assert "was there" in assert_ok(every("promote", "staging", "production"))
    shown = assert_ok(every("rollback", "production", *note))
    assert "was there" not in shown
    assert all(name in shown for name in names)
    assert labelled(client, "production") == [1, 1]


def test_a_condition_of_one_kind_stops_a_release_of_all(every: Shell, client: Client) -> None:
    for label, number in (("staging", 2), ("production", 2), ("production", 1)):
        targets = {label: {"x": number}}
        client.release(labels=targets, configuration_labels=targets)
    for command in (
        ("release", "production", "prompts:x", "configs:x"),
        ("promote", "staging", "production"),
        ("rollback", "production", "prompts:x", "configs:x"),
    ):
        done = every(*command, "--expected", "configs:x=2")
        assert (done.code, done.out) == (4, "")
    assert labelled(client, "production") == [1, 1]


def test_names_outside_a_group_need_a_prefix(every: Shell) -> None:
    done = every("release", "production", "x")
    assert (done.code, done.out) == (2, "")
    assert "prompts:x" in done.err
