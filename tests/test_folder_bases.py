"""What folder and database have in common: the rows of the decision table, git, and copies."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from draive_pg import Client, FolderStatus, RevisionConflict
from draive_pg.sync.comparison import UNKNOWN, Action, Change, action, base_version, changes
from draive_pg.sync.seen import Version
from tests.conftest import Connect
from tests.folders import Sides, file_contents
from tests.git import clone, commit, git, repository
from tests.server import wait_for_lock_waiters

NONE = "\N{EN DASH}"
DOCUMENT = Path(__file__).parent.parent / "docs" / "how-to" / "prompts-in-git.md"


def decisions() -> list[tuple[str, ...]]:
    """Return the rows of the decision table in the documentation."""
    text = DOCUMENT.read_text().replace(NONE, "-")
    rows = re.findall(r"(?m)^\| ([-A]) \| ([-A-C]) \| ([-A-C]) \|(.*)\|$", text)
    return [(*sides, *(cell.strip() for cell in rest.split("|"))) for *sides, rest in rows]


DECISIONS = decisions()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "folder"


@pytest.fixture
def side(db: Client, folder: Path) -> Sides:
    return Sides("prompts", db, folder)


def push(db: Client, folder: Path, **options: Any) -> dict[str, str | None]:
    """Push, and return the actions by name."""
    return actions(db.instructions.push(folder, **options))


def actions(status: FolderStatus) -> dict[str, str | None]:
    return {each.name: each.action for each in status.changes}


def write(folder: Path, **texts: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(f"{text}\n")


def test_pull_from_a_read_only_database_warns(
    db: Client, connect: Connect, dsn: str, folder: Path
) -> None:
    db.instructions.define("greeting", content="Hello")
    standby = connect(make_conninfo(dsn, options="-c default_transaction_read_only=on"))
    with pytest.warns(UserWarning, match="the database is read-only"):
        assert standby.instructions.pull(folder).done
    assert file_contents(folder)["greeting.md"] == b"Hello\n"


def stored(db: Client) -> dict[str, str]:
    return {each.name: each.content for each in db.instructions.list()}


# --- The decision table


def test_decision_table_is_complete() -> None:
    assert {row[:3] for row in DECISIONS} == {
        ("A", "A", "A"),
        ("A", "B", "B"),
        ("A", "B", "A"),
        ("A", "B", "C"),
        ("A", "B", "-"),
        ("A", "-", "-"),
        ("A", "-", "A"),
        ("A", "-", "B"),
        ("-", "A", "-"),
        ("-", "A", "A"),
        ("-", "A", "B"),
    }


@pytest.mark.parametrize("row", DECISIONS, ids=lambda row: "".join(row[:3]))
def test_decision_table(db: Client, folder: Path, row: tuple[str, ...]) -> None:
    local, remote, base, change, *expected = row
    side = Sides("prompts", db, folder)
    number = {"A": 1, "B": 2, "C": 3}
    if base != "-":
        side.define("x", number[base])
        db.instructions.pull(folder)
    folder.mkdir(exist_ok=True)
    if local == "-" and base != "-":
        side.unlink("x")
    elif local != "-":
        side.write("x", number[local])
    if remote == "-" and base != "-":
        side.remove("x")
    elif remote not in ("-", base):
        side.define("x", number[remote])

    (found,) = db.instructions.status(folder).changes or [None]
    assert (found.change if found else "unchanged") == change
    for transfer, force, cell in (
        (db.instructions.push, False, expected[0]),
        (db.instructions.push, True, expected[1]),
        (db.instructions.pull, False, expected[2]),
        (db.instructions.pull, True, expected[3]),
    ):
        word, _, deletes = cell.partition(", ")
        planned = transfer(folder, force=force, dry_run=True)
        done = transfer(folder, force=force, dry_run=True, delete=True)
        assert actions(done).get("x", "nothing") == word
        kept = "keep" if deletes == "if `--delete`" else word
        assert actions(planned).get("x", "nothing") == kept


# --- Git


def test_reverted_commit_is_pushed(db: Client, tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    folder = repo / "prompts"
    for text in ("good", "bad"):
        write(folder, p=text)
        push(db, folder)
        commit(repo)
    git(repo, "revert", "--no-edit", "HEAD")
    assert actions(db.instructions.pull(folder)) == {"p": "nothing"}
    assert push(db, folder) == {"p": "write"}
    assert stored(db) == {"p": "good"}
    git(repo, "revert", "--no-edit", "HEAD")
    fresh = clone(repo, tmp_path / "fresh")
    assert push(db, fresh / "prompts") == {"p": "write"}
    assert stored(db) == {"p": "bad"}


@pytest.mark.parametrize("depth", [None, 1])
def test_fresh_clones_push_one_after_another(db: Client, tmp_path: Path, depth: int | None) -> None:
    repo = repository(tmp_path / "repo")
    for number in range(1, 5):
        # The last one is the first again.
        write(repo / "prompts", greeting=f"version {number % 3}")
        commit(repo)
        fresh = clone(repo, tmp_path / f"ci {number}", depth=depth)
        assert push(db, fresh / "prompts") == {"greeting": "write"}
    assert [each.content[-1] for each in db.instructions.history("greeting")] == [*"1021"]
    db.instructions.define("greeting", content="hotfix")
    write(repo / "prompts", greeting="version 5")
    commit(repo)
    fresh = clone(repo, tmp_path / "last", depth=depth)
    assert push(db, fresh / "prompts") == {"greeting": "conflict"}


def test_stale_clone_does_not_undo_the_push_of_another(db: Client, tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    write(repo / "prompts", b="1", c="1")
    commit(repo)
    push(db, repo / "prompts")
    ann, bob = (clone(repo, tmp_path / name) for name in ("ann", "bob"))
    write(ann / "prompts", b="by ann")
    push(db, ann / "prompts")
    commit(ann)
    write(bob / "prompts", c="by bob")
    assert push(db, bob / "prompts") == {"b": "nothing", "c": "write"}
    assert stored(db) == {"b": "by ann", "c": "by bob"}
    commit(bob)
    git(bob, "pull", "-q", "--no-rebase", "--no-edit", str(ann), "main")
    assert not db.instructions.status(bob / "prompts").drift

    write(ann / "prompts", b="again by ann")
    write(bob / "prompts", b="by bob")
    assert push(db, ann / "prompts")["b"] == "write"
    assert push(db, bob / "prompts") == {"b": "conflict"}
    assert actions(db.instructions.pull(bob / "prompts")) == {"b": "conflict"}


@pytest.mark.parametrize("with_git", [True, False])
def test_stale_copy_does_not_undo_a_revert(db: Client, tmp_path: Path, *, with_git: bool) -> None:
    repo = repository(tmp_path / "repo")
    ann = repo / "prompts"
    for text in ("good", "bad"):
        write(ann, p=text)
        push(db, ann)
        commit(repo)
    if with_git:
        bob = clone(repo, tmp_path / "bob") / "prompts"
    else:
        bob = Path(shutil.copytree(ann, tmp_path / "bob"))
    git(repo, "revert", "--no-edit", "HEAD")
    assert push(db, ann) == {"p": "write"}
    assert push(db, bob) == {"p": "conflict"}
    write(bob, p="better")
    assert push(db, bob) == {"p": "conflict"}
    assert stored(db) == {"p": "good"}
    assert push(db, bob, force=True) == {"p": "write"}
    write(bob, p="bad")
    assert push(db, bob) == {"p": "write"}


def test_stale_copy_does_not_undo_a_rollback_in_the_database(
    db: Client, folder: Path, tmp_path: Path
) -> None:
    for text in ("good", "bad"):
        write(folder, p=text)
        push(db, folder)
    db.instructions.restore("p", 1)
    assert db.instructions.pull(tmp_path / "other").done
    assert push(db, folder) == {"p": "conflict"}
    assert stored(db) == {"p": "good"}


def test_uncommitted_versions_are_pushed_one_after_another(db: Client, tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    write(repo / "prompts", p="0")
    commit(repo)
    for text in "0123":
        write(repo / "prompts", p=text)
        assert push(db, repo / "prompts") == {"p": "write"}
    assert ".draive_pg" not in git(repo, "status", "--porcelain", "-uall")


def test_prompt_removed_and_restored_in_git_is_pushed(db: Client, tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    folder = repo / "prompts"
    write(folder, p="1", q="2")
    commit(repo)
    push(db, folder)
    (folder / "p.md").unlink()
    commit(repo)
    for depth, name in ((1, "shallow"), (None, "full")):
        fresh = clone(repo, tmp_path / name, depth=depth) / "prompts"
        # A shallow clone cannot tell a removed file from a prompt of another service.
        wanted = "nothing" if depth else "remove"
        assert actions(db.instructions.push(fresh, delete=True, dry_run=True)) == {"p": wanted}
        scoped = db.instructions.push(fresh, prefix="p", delete=True, dry_run=True)
        assert actions(scoped) == {"p": "remove"}
    assert push(db, folder, delete=True) == {"p": "remove"}
    git(repo, "revert", "--no-edit", "HEAD")
    assert push(db, clone(repo, tmp_path / "again") / "prompts") == {"p": "write"}
    assert stored(db) == {"p": "1", "q": "2"}


# --- Several databases


def test_folder_is_pushed_to_several_databases(
    db: Client, connect: Connect, dsn: str, folder: Path
) -> None:
    other = connect(dsn, schema="other")
    other.setup()
    write(folder, p="1")
    for each in (db, other):
        assert push(each, folder) == {"p": "write"}
        assert push(each, folder) == {}
    write(folder, p="2")
    assert push(db, folder) == {"p": "write"}
    assert push(other, folder) == {"p": "write"}
    other.instructions.define("p", content="hotfix")
    write(folder, p="3")
    assert push(db, folder) == {"p": "write"}
    assert push(other, folder) == {"p": "conflict"}


def test_restored_backup_is_brought_up(db: Client, side: Sides) -> None:
    write(side.folder, p="number 1")
    push(db, side.folder)
    backup = side.bases()
    write(side.folder, p="number 2", q="number 1")
    push(db, side.folder)
    # What the backup has.
    db.instructions.remove("p", revision=2)
    db.instructions.remove("q")
    side.forget()
    side.restore(backup)
    assert push(db, side.folder) == {"p": "write", "q": "write"}
    assert side.stored() == {"p": 2, "q": 1}


def test_rollback_in_the_database_is_not_undone(db: Client, folder: Path) -> None:
    for text in "12":
        write(folder, p=text)
        push(db, folder)
    db.instructions.restore("p", 1)
    assert push(db, folder) == {"p": "nothing"}
    assert actions(db.instructions.status(folder)) == {"p": None}
    assert actions(db.instructions.pull(folder)) == {"p": "write"}


def test_database_that_has_a_text_of_the_folder_is_brought_up(
    db: Client, connect: Connect, dsn: str, folder: Path
) -> None:
    other = connect(dsn, schema="other")
    other.setup()
    other.instructions.define("p", content="1")  # by hand
    for text in "12":
        write(folder, p=text)
        push(db, folder)
    assert push(other, folder) == {"p": "write"}


# --- Copies without git


def test_copies_of_a_folder_conflict(db: Client, folder: Path, tmp_path: Path) -> None:
    write(folder, p="0", q="0")
    push(db, folder)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    write(folder, p="a", q="a")
    write(copy, p="b")
    assert push(db, folder) == {"p": "write", "q": "write"}
    assert push(db, copy, keep_going=True) == {"p": "conflict", "q": "nothing"}
    assert stored(db) == {"p": "a", "q": "a"}


def test_push_that_waited_records_no_older_base(
    db: Client, sql: psycopg.Connection, dsn: str, folder: Path, tmp_path: Path
) -> None:
    write(folder, p="1", q="1")
    push(db, folder)
    copy = tmp_path / "copy"
    assert db.instructions.pull(copy).done
    write(folder, p="2")
    with Client(dsn) as other, ThreadPoolExecutor() as pool:
        with sql.transaction():
            sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('instructions/p', 0))")
            waiting = pool.submit(push, other, folder)
            wait_for_lock_waiters(dsn, at_least=1)
            write(copy, q="2")
            assert push(db, copy)["q"] == "write"
        assert waiting.result() == {"p": "write"}
    write(copy, q="1")
    assert push(db, copy)["q"] == "write"
    assert stored(db) == {"p": "2", "q": "1"}


def test_rename_keeps_history_and_labels(db: Client, folder: Path) -> None:
    write(folder, old="1", other="2")
    push(db, folder)
    db.instructions.label("old", "production")
    (folder / "old.md").rename(folder / "new.md")
    (change,) = db.instructions.status(folder).changes
    assert (change.change, change.renamed_from) == ("renamed in folder", "old")
    assert push(db, folder) == {"new": "rename"}
    assert stored(db) == {"new": "1", "other": "2"}
    assert db.instructions.load("new", label="production") == "1"
    assert not db.instructions.status(folder).drift

    db.instructions.rename("new", "newest")
    assert actions(db.instructions.pull(folder)) == {"newest": "rename"}
    assert file_contents(folder).keys() >= {"newest.md", "other.md"}
    assert not (folder / "new.md").exists()


def test_rename_of_the_only_prompt_in_a_folder_is_pulled(db: Client, folder: Path) -> None:
    db.instructions.define("support/old", content="1")
    db.instructions.pull(folder)
    db.instructions.rename("support/old", "support/new")
    assert actions(db.instructions.pull(folder)) == {"support/new": "rename"}
    assert [*folder.rglob("*.md")] == [folder / "support" / "new.md"]
    db.instructions.rename("support/new", "new")
    assert actions(db.instructions.pull(folder)) == {"new": "rename"}
    assert [*folder.glob("[!.]*")] == [folder / "new.md"]


def test_label_on_an_older_revision_round_trips(db: Client, tmp_path: Path) -> None:
    db.instructions.define("p", content="1")
    db.instructions.label("p", "production")
    db.instructions.define("p", content="2")
    db.instructions.label("p", "staging")
    db.configurations.define("c", {"n": 1})
    db.configurations.label("c", "production")
    db.configurations.define("c", {"n": 2})
    for namespace, name in ((db.instructions, "prompts"), (db.configurations, "configs")):
        assert namespace.pull(tmp_path / name, labels=True).done
        assert not namespace.status(tmp_path / name, labels=True).drift
    path = tmp_path / "prompts" / "p.md"
    assert re.search(
        r'\[labels\]\nproduction = "[0-9a-f]{64}"\nstaging = "current"', path.read_text()
    )
    assert json.loads((tmp_path / "configs" / "c.json").read_text())["$labels"].keys() == {
        "production"
    }

    db.instructions.label("p", "production", 2)
    assert db.instructions.pull(tmp_path / "prompts", labels=True).done
    text = path.read_text()
    assert 'labels = [\n    "production",\n    "staging",\n]' in text
    first = db.instructions.revision("p", 1)
    db.instructions.label("p", "production", first)
    assert db.instructions.pull(tmp_path / "prompts", labels=True).done
    older = path.read_text()
    path.write_text(text)
    assert db.instructions.push(tmp_path / "prompts", labels=True).done
    assert db.instructions.load("p", label="production") == "2"
    path.write_text(older)
    assert db.instructions.push(tmp_path / "prompts", labels=True).done
    assert db.instructions.load("p", label="production") == "1"
    assert db.instructions.load("p", label="staging") == "2"


def test_push_does_not_undo_a_label_move_at_the_same_time(
    db: Client, sql: psycopg.Connection, dsn: str, folder: Path
) -> None:
    for text in "12":
        db.instructions.define("p", content=text)
        db.instructions.label("p", "production")
    assert db.instructions.pull(folder, labels=True).done
    write(folder, p="2")
    with Client(dsn) as other, ThreadPoolExecutor() as pool:
        with sql.transaction():
            sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('instructions/p', 0))")
            waiting = pool.submit(push, other, folder, labels=True)
            wait_for_lock_waiters(dsn, at_least=1)
            sql.execute(
                "INSERT INTO draive_pg_labels (name, label, revision, moved) SELECT name, label, "
                "(SELECT min(created) FROM instructions), clock_timestamp() "
                "FROM draive_pg_labels LIMIT 1"
            )
        with pytest.raises(RevisionConflict):
            waiting.result()
    assert db.instructions.load("p", label="production") == "1"


# --- Files of version 0.1.0


def test_state_file_of_the_first_version_is_read_once(db: Client, folder: Path) -> None:
    side = Sides("prompts", db, folder)
    for name in "abc":
        side.define(name, 1)
    db.instructions.pull(folder)
    revisions = {
        each.name: {
            "created": each.created.isoformat(),
            "digest": Version.of(side.document(name)).digest,
        }
        for name in "abc"
        for each in [db.instructions.revision(name)]
    }
    state = {"format": 1, "kind": "prompts", "revisions": revisions}
    shutil.rmtree(folder / ".draive_pg")
    side.forget()
    (folder / ".draive_pg.json").write_text(json.dumps(state))
    side.define("a", 2)
    side.write("b", 2)
    side.unlink("c")
    found = {each.name: each.change for each in db.instructions.status(folder).changes}
    assert found == {
        "a": "changed in database",
        "b": "changed in folder",
        "c": "removed from folder",
    }
    assert push(db, folder) == {"a": "nothing", "b": "write", "c": "keep"}
    assert not (folder / ".draive_pg.json").exists()
    assert actions(db.instructions.pull(folder)) == {"a": "write", "c": "nothing"}


# --- The functions


def test_base_is_the_newest_version_that_the_folder_had() -> None:
    one, two, three = (Version(text) for text in "123")
    assert base_version([three, two, one], {one, two}.__contains__, [], None) == two
    assert base_version([three], {two}.__contains__, [], two) == two
    assert base_version([three], {two}.__contains__, [], None) is None
    assert base_version([None, one], {None, one}.__contains__, [], one) is None


@pytest.mark.parametrize(
    ("bases", "history", "base"),
    [
        ("12", "121", "2"),
        ("121", "12", "?"),
        ("121", "123", "?"),
        ("121", "121", "1"),
        ("121", "1", "1"),
        ("1212", "12121", "2"),
        ("1212", "2", "2"),
        ("1212", "121", "?"),
        ("1-1", "1-", "?"),
        ("1-1-", "1-1-", "-"),
    ],
)
def test_base_that_came_back_is_known_only_in_order(bases: str, history: str, base: str) -> None:
    versions = {"-": None, "?": UNKNOWN} | {text: Version(text) for text in "123"}
    had = [versions[text] for text in history]
    given = [versions[text] for text in reversed(bases)]
    assert base_version(given, had.__contains__, [had], None) == versions[base]


def test_forced_action_ignores_the_base() -> None:
    (change,) = changes({"x": 1}, {"x": 1}, {"x": 2}).values()
    assert change is Change.CHANGED_IN_DATABASE
    assert action(change, "folder", exists=True, force=True, delete=False) is Action.WRITE
