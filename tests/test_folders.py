"""Push, pull, status and diff of a folder from Python, for both kinds and both clients."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest

from draive_pg import (
    Client,
    FileInvalid,
    FolderChange,
    FolderStatus,
    RevisionConflict,
    RevisionLabelled,
    RevisionMissing,
    TemplateInvalid,
)
from draive_pg.operations.operation import Workflow
from draive_pg.sync import push_pull
from draive_pg.sync.check import check_folder
from draive_pg.sync.comparison import Plan
from draive_pg.sync.folder import Folder
from draive_pg.sync.formats import Prompt
from draive_pg.sync.kinds import CONFIGURATIONS, PROMPTS
from draive_pg.sync.push_pull import Options, Transfer
from tests.folders import Sides, file_contents
from tests.sync_facade import SyncFacade, run_concurrently


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "folder"


@pytest.fixture(params=["prompts", "configurations"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def side(kind: str, db: Client, folder: Path) -> Sides:
    return Sides(kind, db, folder)


@pytest.fixture
def documents(kind: str, db: Client) -> Any:
    """The namespace of the kind."""
    return db.instructions if kind == "prompts" else db.configurations


def changes(status: FolderStatus) -> dict[str, tuple[str, str | None]]:
    return {each.name: (each.change, each.action) for each in status.changes}


def test_pull_and_push_transfer_changes(documents: Any, side: Sides) -> None:
    for name in "abc":
        side.define(name, 1)
    pulled = documents.pull(side.folder)
    assert (pulled.done, pulled.conflicts, pulled.folder) == (True, (), side.folder)
    assert changes(pulled) == dict.fromkeys("abc", ("new in database", "write"))
    side.define("a", 2)
    side.write("b", 2)
    side.unlink("c")

    status = documents.status(str(side.folder))
    assert (status.drift, status.done, status.unchanged) == (True, False, 0)
    assert list(status.changes) == [
        FolderChange("a", "changed in database", f"a{side.suffix}", None),
        FolderChange("b", "changed in folder", f"b{side.suffix}", None),
        FolderChange("c", "removed from folder", f"c{side.suffix}", None),
    ]
    assert "changed in folder" in str(status)
    assert "changed in folder" in status._repr_html_()
    assert changes(documents.pull(side.folder))["a"] == ("changed in database", "write")
    assert changes(documents.push(side.folder)) == {
        "b": ("changed in folder", "write"),
        "c": ("removed from folder", "keep"),
    }
    assert side.stored() == {"a": 2, "b": 2, "c": 1}
    assert changes(documents.push(side.folder, delete=True)) == {
        "c": ("removed from folder", "remove")
    }
    assert side.stored() == side.files() == {"a": 2, "b": 2}
    status = documents.status(side.folder)
    assert (status.drift, status.unchanged) == (False, 2)


def test_only_changed_files_are_parsed(
    documents: Any, side: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        side.define(name, 1)
    documents.pull(side.folder)
    side.write("b", 2)
    kind = PROMPTS if side.suffix == ".md" else CONFIGURATIONS
    read, parsed = kind.content.read, list[str]()

    def counted(data: bytes, suffix: str, where: str) -> Any:
        parsed.append(Path(where).stem)
        return read(data, suffix, where)

    monkeypatch.setattr(kind.content, "read", counted)
    assert changes(documents.status(side.folder)) == {"b": ("changed in folder", None)}
    assert parsed == ["b"]
    assert documents.push(side.folder).done
    parsed.clear()
    assert not documents.status(side.folder).drift
    assert parsed == []
    assert not check_folder(kind, side.folder).problems
    assert parsed == [*"abc"]
    parsed.clear()
    monkeypatch.setattr("draive_pg.sync.folder.release", lambda: b"another")
    assert not documents.status(side.folder).drift
    assert parsed == [*"abc"]


def test_change_is_found_in_a_file_of_the_same_size_and_time(documents: Any, side: Sides) -> None:
    side.define("a", 1)
    documents.pull(side.folder)
    file = side.folder / f"a{side.suffix}"
    before = file.stat()
    file.write_bytes(file.read_bytes().replace(b"1", b"2"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert changes(documents.status(side.folder)) == {"a": ("changed in folder", None)}


def test_state_file_without_hashes_of_files_is_read(documents: Any, side: Sides) -> None:
    side.define("a", 1)
    documents.pull(side.folder)
    notes = side.folder / ".draive_pg" / "seen.json"
    state = json.loads(notes.read_bytes())
    del state["files"]
    notes.write_text(json.dumps(state))
    assert not documents.status(side.folder).drift
    side.write("a", 2)
    assert documents.push(side.folder).done
    assert list(json.loads(notes.read_bytes())["files"]) == [f"a{side.suffix}"]


def test_conflict_is_returned_and_nothing_is_written(documents: Any, side: Sides) -> None:
    for name in "ab":
        side.define(name, 1)
    documents.pull(side.folder)
    side.write("a", 2)
    side.write("b", 2)
    side.define("a", 3)
    before = file_contents(side.folder)
    for transfer in (documents.push, documents.pull):
        result = transfer(side.folder, delete=True)
        assert (result.done, result.conflicts) == (False, ("a",))
        assert changes(result)["a"] == ("conflict", "conflict")
    assert documents.status(side.folder).conflicts == ("a",)
    assert file_contents(side.folder) == before
    assert side.stored() == {"a": 3, "b": 1}

    forced = documents.push(side.folder, force=True)
    assert (forced.done, forced.conflicts) == (True, ())
    assert side.stored() == {"a": 2, "b": 2}


def test_dry_run_writes_nothing(documents: Any, side: Sides) -> None:
    side.define("a", 1)
    assert not documents.pull(side.folder, dry_run=True).done
    assert not side.folder.exists()
    documents.pull(side.folder)
    side.write("a", 2)
    planned = documents.push(side.folder, dry_run=True)
    assert (planned.done, changes(planned)) == (False, {"a": ("changed in folder", "write")})
    assert side.stored() == {"a": 1}
    done = documents.push(side.folder)
    assert done.changes == planned.changes
    assert side.stored() == {"a": 2}


def test_diff_shows_lines_of_folder_and_database(documents: Any, side: Sides) -> None:
    for name in "ab":
        side.define(name, 1)
    documents.pull(side.folder)
    assert not documents.diff_folder(side.folder)
    assert str(documents.diff_folder(side.folder)) == ""
    side.write("a", 2)
    diff = documents.diff_folder(side.folder)
    assert [each.name for each in diff.files] == ["a"]
    lines = str(diff).splitlines()
    assert lines[:2] == [f"--- database/a{side.suffix}", f"+++ folder/a{side.suffix}"]
    assert any(line.startswith("+") and "2" in line for line in lines[2:])
    assert f"a{side.suffix}" in diff._repr_html_()


def test_missing_folder_or_unreadable_file_is_rejected(documents: Any, side: Sides) -> None:
    side.define("a", 1)
    for call in (documents.push, documents.status, documents.diff_folder):
        with pytest.raises(FileInvalid, match="no folder"):
            call(side.folder)
    documents.pull(side.folder)
    (side.folder / f"bad{side.suffix}").write_bytes(b"\xff")
    before = file_contents(side.folder)
    for call in (documents.push, documents.pull, documents.status, documents.diff_folder):
        with pytest.raises(FileInvalid, match=f"bad{side.suffix}"):
            call(side.folder)
        with pytest.raises(TypeError):
            call(7)
    assert file_contents(side.folder) == before
    assert side.stored() == {"a": 1}


def test_folder_in_place_of_a_file_is_named(documents: Any, side: Sides) -> None:
    for name in ("a", "b/c"):
        side.define(name, 1)
    for blocking, file in ((f"a{side.suffix}/x", f"a{side.suffix}"), ("b", f"b/c{side.suffix}")):
        path = side.folder / blocking
        path.parent.mkdir(parents=True)
        path.touch()
        with pytest.raises(
            FileInvalid, match=rf"{file}' cannot be written .*: rename what is there"
        ):
            documents.pull(side.folder)
        shutil.rmtree(side.folder)
    assert documents.pull(side.folder).done


def test_push_joins_transaction(documents: Any, db: Client, side: Sides) -> None:
    side.write("a", 1)
    with pytest.raises(ZeroDivisionError), db.transaction():
        assert documents.push(side.folder).done
        assert side.stored() == {"a": 1}
        raise ZeroDivisionError
    assert side.stored() == {}


def run_with(db: Client, request: Workflow[Any], before_writing: Any) -> Any:
    """Run a push or pull, and call a function when it has compared and is about to write."""
    step: Any = request.first
    while True:
        write_files = getattr(getattr(step, "function", None), "__func__", None)
        if getattr(step, "transaction", False) or write_files is Plan.write_files:
            before_writing()
        result = db._database.run(step)
        result = db._run(result) if isinstance(db, SyncFacade) else result
        try:
            step = request.steps.send(result)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("late", ["written", "new", "removed"])
def test_concurrent_write_aborts_push(
    kind: str, db: Client, documents: Any, side: Sides, late: str
) -> None:
    for name in "abc":
        side.define(name, 1)
    documents.pull(side.folder)
    side.write("a", 2)
    side.write("b", 2)
    side.write("new", 2)
    side.unlink("c")
    name = {"written": "b", "new": "new", "removed": "c"}[late]
    push = push_pull.push(
        Options(PROMPTS if kind == "prompts" else CONFIGURATIONS, side.folder),
        Transfer(delete=True),
    )
    with pytest.raises(RevisionConflict, match=f"'{name}'"):
        run_with(db, push, lambda: side.define(name, 7))
    assert side.stored() == {"a": 1, "b": 1, "c": 1} | {name: 7}


@pytest.mark.parametrize("late", ["edited", "created", "removed", "edited before its removal"])
def test_pull_keeps_file_changed_while_it_runs(
    kind: str, db: Client, documents: Any, side: Sides, late: str
) -> None:
    for name in "abd":
        side.define(name, 1)
    documents.pull(side.folder)
    for name in "abc":
        side.define(name, 2)
    side.remove("d")

    def change() -> None:
        if late == "removed":
            side.unlink("b")
        else:
            side.write({"edited": "b", "created": "c"}.get(late, "d"), 7)
        files.update(file_contents(side.folder))

    files: dict[str, bytes] = {}
    pull = push_pull.pull(
        Options(PROMPTS if kind == "prompts" else CONFIGURATIONS, side.folder),
        Transfer(delete=True),
    )
    with pytest.raises(FileInvalid, match="changed meanwhile"):
        run_with(db, pull, change)
    assert file_contents(side.folder) == files


def test_concurrent_pushes_one_wins(
    kind: str, db: Client, documents: Any, side: Sides, tmp_path: Path
) -> None:
    for name in "ab":
        side.define(name, 1)
    folders = {number: Sides(kind, db, tmp_path / f"{number}") for number in (2, 3)}
    for number, mine in folders.items():
        documents.pull(mine.folder)
        mine.write("a", number)
        mine.write("b", number)
    attribute = "instructions" if kind == "prompts" else "configurations"

    async def awaited(result: Any, number: int) -> Any:
        try:
            return number if (await result).done else None
        except RevisionConflict:
            return None

    def push(client: Any, number: int) -> Any:
        try:
            result = getattr(client, attribute).push(folders[number].folder)
        except RevisionConflict:
            return None
        if isinstance(result, FolderStatus):
            return number if result.done else None
        return awaited(result, number)

    steps = [[lambda client, number=number: push(client, number)] for number in folders]
    (winner,) = {each for (each,) in run_concurrently(db, *steps) if each}
    assert side.stored() == {"a": winner, "b": winner}


# --- Prompts


# --- What is compared


def test_readmes_and_empty_files_are_left_out_and_named(documents: Any, side: Sides) -> None:
    side.define("README", 1)
    side.define("empty", 1)
    side.write("a", 2)
    side.write("README", 2)
    (side.folder / f"empty{side.suffix}").touch()
    pushed = documents.push(side.folder, delete=True)
    assert changes(pushed) == {"a": ("new in folder", "write")}
    assert sorted(pushed.unread) == [
        f"README{side.suffix} (rename it to %52EADME{side.suffix})",
        f"empty{side.suffix} (empty)",
    ]
    assert side.stored() == {"README": 1, "a": 2, "empty": 1}


@pytest.mark.parametrize("by", ["name", "path"])
def test_ignored_files_are_left_alone_on_both_sides(documents: Any, side: Sides, by: str) -> None:
    for name in ("a", "draft-a", "draft-b"):
        side.write(name, 1)
    documents.push(side.folder)
    ending = side.suffix if by == "path" else ""
    (side.folder / ".draive_pg_ignore").write_text(
        f"# not ready\ndraft-*{ending}\n\n!draft-b{ending}\n"
    )
    side.define("draft-c", 1)
    for name in ("a", "draft-a", "draft-b"):
        side.write(name, 2)
    written = dict.fromkeys(("a", "draft-b"), ("changed in folder", "write"))
    assert changes(documents.push(side.folder, delete=True)) == written
    assert side.stored() == {"a": 2, "draft-a": 1, "draft-b": 2, "draft-c": 1}
    assert changes(documents.pull(side.folder, delete=True, force=True)) == {}
    assert "2" in (side.folder / f"draft-a{side.suffix}").read_text()


def test_only_matching_names_are_pushed(documents: Any, side: Sides) -> None:
    for name in ("a1", "a2", "b1"):
        side.write(name, 1)
    side.define("b2", 1)
    assert set(changes(documents.push(side.folder, ["*1"], prefix="a", delete=True))) == {"a1"}
    assert set(changes(documents.push(side.folder, ["a*", "b1"], delete=True))) == {"a2", "b1"}
    with pytest.raises(FileInvalid, match=r"there are no \w+ 'c\*'"):
        documents.push(side.folder, ["a*", "c*"])
    assert side.stored() == {"a1": 1, "a2": 1, "b1": 1, "b2": 1}


def test_check_names_all_problems_of_a_folder(documents: Any, side: Sides) -> None:
    with pytest.raises(FileInvalid, match="there is no folder"):
        documents.check_folder(side.folder)
    side.write("a", 1)
    (side.folder / f"b{side.suffix}").write_bytes(b"\xff")
    (side.folder / f"c{side.suffix}").write_bytes(b"\xff")
    checked = documents.check_folder(side.folder)
    assert [(each.file, each.fatal) for each in checked.problems] == [
        (f"{name}{side.suffix}", True) for name in "bc"
    ]
    assert (checked.valid, checked.names) == (False, ("a",))


def test_check_tells_what_prompts_cannot_be_filled_from_what_is_suspicious(
    db: Client, folder: Path
) -> None:
    folder.mkdir()
    (folder / "a.md").write_text('+++\narguments = [{name = "n"}]\n+++\n{m}\n')
    (folder / "b.md").write_text("Hello {")
    checked = db.instructions.check_folder(folder)
    assert [(each.file, each.fatal) for each in checked.problems] == [
        ("a.md", True),
        ("b.md", False),
    ]
    with pytest.raises(TemplateInvalid, match="'b'"):
        db.instructions.push(folder, ["b"], strict=True)
    assert db.instructions.list() == ()


# --- Authors, arguments and labels


def test_push_stores_author_and_message(db: Client, folder: Path) -> None:
    folder.mkdir()
    (folder / "greeting.md").write_text("Hi\n")
    db.instructions.push(folder, message="why", author="ada")
    revision = db.instructions.revision("greeting")
    assert (revision.message, revision.author) == ("why", "ada")


def test_prompt_not_matching_its_arguments_aborts_push(db: Client, folder: Path) -> None:
    folder.mkdir()
    (folder / "a.md").write_text("fine\n")
    (folder / "b.md").write_text('+++\narguments = [{name = "n"}]\n+++\n{m}\n')
    for dry_run in (True, False):
        with pytest.raises(TemplateInvalid, match="'b'"):
            db.instructions.push(folder, dry_run=dry_run)
    assert db.instructions.search() == ()


def test_labels_are_synchronized_on_request(db: Client, folder: Path) -> None:
    db.instructions.define("greeting", content="1")
    db.instructions.label("greeting", "production")
    db.instructions.pull(folder)
    assert not db.instructions.status(folder).drift
    assert db.instructions.status(folder, labels=True).drift
    assert db.instructions.pull(folder, labels=True).done
    assert (folder / "greeting.md").read_text() == '+++\nlabels = [\n    "production",\n]\n+++\n1\n'
    (folder / "greeting.md").write_text('+++\nlabels = ["staging"]\n+++\n2\n')
    assert db.instructions.push(folder).done
    assert [each.label for each in db.instructions.labels()] == ["production"]
    assert db.instructions.push(folder, labels=True, author="ada").done
    (moved,) = [each for each in db.instructions.labels() if each.label == "staging"]
    assert (moved.revision, moved.author) == (2, "ada")
    (folder / "greeting.md").write_text("2\n")
    assert db.instructions.push(folder, labels=True).done
    assert [each.label for each in db.instructions.labels()] == ["production"]  # of revision 1


def test_label_on_a_revision_of_another_database_is_refused(
    db: Client, connect: Any, databases: Any, folder: Path
) -> None:
    for number in (1, 2):
        db.instructions.define("greeting", content=f"{number}")
    db.instructions.label("greeting", "production", revision=1)
    db.instructions.pull(folder, labels=True)
    other = connect(databases.provide())
    with pytest.raises(RevisionMissing, match="push that version first"):
        other.instructions.push(folder, labels=True)
    assert other.instructions.list() == ()


# --- Configurations


def test_labels_of_configurations_are_a_member_of_their_files(db: Client, folder: Path) -> None:
    db.configurations.define("limits", {"n": 1})
    db.configurations.label("limits", "production")
    assert db.configurations.pull(folder, labels=True).done
    path = folder / "limits.json"
    assert json.loads(path.read_text()) == {"n": 1, "$labels": ["production"]}
    assert not db.configurations.status(folder, labels=True).drift
    path.write_text('{"n": 2, "$labels": ["staging"]}')
    assert db.configurations.push(folder).done
    assert db.configurations.load_raw("limits") == {"n": 2}
    assert [each.label for each in db.configurations.labels()] == ["production"]
    assert db.configurations.push(folder, labels=True).done
    assert db.configurations.load_raw("limits", label="staging") == {"n": 2}
    path.unlink()
    (folder / "limits.toml").write_text('n = 2\n"$labels" = []\n')
    assert db.configurations.push(folder, labels=True).done
    assert [each.label for each in db.configurations.labels()] == ["production"]  # of revision 1


@pytest.mark.parametrize("labels", ["7", '"production"', "[7]", '["production "]'])
def test_labels_in_a_file_are_checked(db: Client, folder: Path, labels: str) -> None:
    folder.mkdir()
    (folder / "a.json").write_text(f'{{"$labels": {labels}}}')
    (folder / "a.md").write_text(f"+++\nlabels = {labels}\n+++\n")
    with pytest.raises(FileInvalid, match=r"a\.json: .*label"):
        db.configurations.push(folder)
    with pytest.raises(FileInvalid, match=r"a\.md: .*label"):
        db.instructions.push(folder)


def test_a_labelled_document_is_removed_by_a_push_of_labels_only(
    documents: Any, side: Sides
) -> None:
    side.define("a", 1)
    documents.label("a", "production")
    side.define("a", 2)
    side.define("b", 1)
    documents.pull(side.folder)
    side.unlink("a")
    side.write("b", 2)
    with pytest.raises(RevisionLabelled, match="use labels=True"):
        documents.push(side.folder, delete=True)
    assert side.stored() == {"a": 2, "b": 1}
    assert documents.push(side.folder, delete=True, labels=True).done
    assert side.stored() == {"b": 2}


def test_a_pull_in_a_transaction_records_nothing(db: Client, documents: Any, side: Sides) -> None:
    side.define("a", 1)
    documents.pull(side.folder)
    with pytest.raises(ZeroDivisionError), db.transaction():
        side.define("a", 2)
        assert documents.pull(side.folder).done
        raise ZeroDivisionError
    assert side.files() == {"a": 2}
    (change,) = documents.status(side.folder).changes
    assert change.change == "changed in folder"


def test_push_does_not_move_labels_of_configurations(db: Client, folder: Path) -> None:
    db.configurations.define("limits", {"n": 1})
    db.configurations.label("limits", "production")
    db.configurations.pull(folder)
    (folder / "limits.json").write_text('{"n": 2}')
    assert db.configurations.push(folder, message="why", author="ada").done
    newest, labelled = db.configurations.history("limits")
    assert (newest.message, newest.author, newest.labels) == ("why", "ada", ())
    assert labelled.labels == ("production",)


def test_unreadable_row_is_named_and_left_out_on_request(
    db: Client, folder: Path, sql: psycopg.Connection
) -> None:
    for name in "abc":
        db.instructions.define(name, content="text")
    db.instructions.pull(folder)
    db.instructions.define("a", content="new")
    db.instructions.define("d", content="new")
    sql.execute(
        """INSERT INTO instructions (name, content, arguments) VALUES ('b', 'x', '{"a": 1}')"""
    )
    with pytest.raises(FileInvalid, match=r"'b': arguments .*draive-pg doctor.*--keep-going"):
        db.instructions.pull(folder)
    assert [each.name for each in db.instructions.status(folder).changes] == ["a", "d"]
    pulled = db.instructions.pull(folder, keep_going=True, delete=True)
    assert changes(pulled) == {
        "a": ("changed in database", "write"),
        "d": ("new in database", "write"),
    }
    assert [each.partition(" ")[0] for each in pulled.unread] == ["b.md"]
    assert (folder / "b.md").read_text() == "text\n"
    (folder / "b.md").write_text("mine")
    with pytest.raises(FileInvalid, match="'b'"):
        db.instructions.push(folder)
    assert changes(db.instructions.push(folder, keep_going=True)) == {}


def test_malformed_prompt_is_reported_once(db: Client, folder: Path) -> None:
    folder.mkdir()
    (folder / "a.md").write_text('+++\nlabels = ["production"]\n+++\nHello {')
    with pytest.warns(UserWarning, match="'a'") as caught:
        db.instructions.push(folder, labels=True)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="'b'") as caught:
        db.release(prompts={"b": "Hi {"}, labels={"production": ["b"]})
    assert len(caught) == 1


class SavedElsewhere(Prompt):
    """A prompt during whose encoding somebody saves another file."""

    file: Path

    def encode(self, suffix: str) -> bytes:
        self.file.write_text("by hand\n")
        return super().encode(suffix)


def test_file_that_is_saved_while_others_are_written_is_kept(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.md").write_text("1\n")
    other = SavedElsewhere("2")
    object.__setattr__(other, "file", tmp_path / "a.md")
    with pytest.raises(FileInvalid, match="changed meanwhile"):
        Folder(tmp_path, PROMPTS).write({"a": Prompt("2"), "b": other})
    assert file_contents(tmp_path) == {"a.md": b"by hand\n", "b.md": b"1\n"}
