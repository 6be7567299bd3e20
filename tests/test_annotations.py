"""Annotations of memories and elements: what they refer to, and what happens to them."""

import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from draive_pg import (
    Client,
    DraivePGError,
    ExportFormat,
    ExportInvalid,
    MemoryExists,
    MemoryMissing,
)
from draive_pg.lines.line import LINE_118
from tests.cli_runner import Shell, assert_ok, assert_one_line_error
from tests.conftest import Connect
from tests.elements import answered, asked
from tests.schema import set_up


@pytest.fixture
def visit(db: Client) -> Client:
    """A memory of six elements, two of them equal."""
    db.memory("m").remember(
        asked("a"), answered("yes"), asked("b"), answered("yes"), asked("c"), answered("no")
    )
    return db


def positions(db: Client, identifier: str | None = None) -> dict[str, int | None]:
    return {each.name: each.position for each in db.annotations.list(identifier)}


def test_annotations_are_listed_in_order(visit: Client) -> None:
    last = visit.annotations.add("m", 3, name="helpful", score=0.5, tags=("x", "y"), author="ada")
    whole = visit.annotations.add("m", name="resolved", comment="after a day", id="judge")
    assert (last.position, last.score, last.tags, last.author) == (3, 0.5, ("x", "y"), "ada")
    assert (whole.position, whole.comment, whole.id) == (None, "after a day", "judge")
    found = visit.annotations.list("m")
    assert tuple(found) == (whole, last)
    assert visit.annotations.list(limit=1).truncated
    assert visit.annotations.list(prefix="x") == ()
    assert visit.annotations.list(since=last.annotated) == (whole, last)


def test_annotation_with_the_same_id_is_replaced(visit: Client) -> None:
    visit.annotations.add("m", 1, name="helpful", score=0, id="judge")
    visit.annotations.add("m", 3, name="helpful", score=1, id="judge")
    (only,) = visit.annotations.list()
    assert (only.position, only.score) == (3, 1.0)
    with pytest.raises(ValueError, match="no element at 9"):
        visit.annotations.add("m", 9, name="helpful", id="judge")
    assert len(visit.annotations.list()) == 1
    assert visit.annotations.remove("m", ["judge", "none"]) == 1
    assert visit.annotations.list() == ()


def test_invalid_annotations_are_refused(visit: Client) -> None:
    with pytest.raises(MemoryMissing, match="there is no such memory"):
        visit.annotations.add("n", name="helpful")
    with pytest.raises(ValueError, match="score must be a finite number or None, not nan"):
        visit.annotations.add("m", name="helpful", score=float("nan"))
    with pytest.raises(ValueError, match="score must be a finite number or None, not 1000"):
        visit.annotations.add("m", name="helpful", score=10**400)
    with pytest.raises(ValueError, match="name must not be empty"):
        visit.annotations.add("m", name="")
    with pytest.raises(ValueError, match="position must be an int of 0 or more"):
        visit.annotations.add("m", -1, name="helpful")
    assert visit.annotations.list() == ()


def test_annotation_moves_with_its_element_and_is_removed_with_it(visit: Client) -> None:
    for position in range(6):
        visit.annotations.add("m", position, name=f"n{position}")
    visit.annotations.add("m", name="whole")
    memory = visit.memory("m")
    memory.remove_element(2)
    assert positions(visit) == {"whole": None, "n0": 0, "n1": 1, "n3": 2, "n4": 3, "n5": 4}
    memory.replace(0, asked("new"))
    memory.pop(erase=True)
    assert positions(visit) == {"whole": None, "n1": 1, "n3": 2, "n4": 3}
    memory.truncate(2)
    assert positions(visit) == {"whole": None, "n1": 1}
    memory.clear()
    assert positions(visit) == {"whole": None}


def test_annotation_of_equal_element_stays_when_another_is_removed_or_replaced(db: Client) -> None:
    db.memory("m").remember(*(asked("yes") for _ in range(4)), asked("b"), asked("c"))
    for position in (0, 1, 3, 4):
        db.annotations.add("m", position, name=f"n{position}", score=position, tags="x")
    before = {each.name: each for each in db.annotations.list()}
    memory = db.memory("m")
    memory.remove_element(0)
    assert positions(db) == {"n1": 0, "n3": 2, "n4": 3}
    memory.replace(1, asked("no"))
    assert positions(db) == {"n1": 0, "n3": 2, "n4": 3}
    memory.replace(1, asked("yes"))
    memory.replace(0, asked("b"))
    assert positions(db) == {"n3": 2, "n4": 3}
    memory.replace(3, asked("b"))
    memory.replace(4, asked("yes"))
    assert positions(db) == {"n3": 2}
    (left,) = db.annotations.list()
    assert (left.score, left.tags, left.annotated) == (3.0, ("x",), before["n3"].annotated)


def test_undone_turn_takes_its_annotations_with_it(visit: Client) -> None:
    visit.annotations.add("m", 1, name="first")
    visit.annotations.add("m", 5, name="last")
    visit.memory("m").undo()
    assert positions(visit) == {"first": 1}


def test_elements_of_one_time_are_told_apart(visit: Client, sql: psycopg.Connection) -> None:
    visit.annotations.add("m", 2, name="b")
    sql.execute("UPDATE memories_elements SET created = '2026-01-01Z'")
    assert positions(visit) == {"b": 2}
    visit.memory("m").replace(0, asked("new"))
    assert positions(visit) == {"b": 2}


def test_annotations_follow_rename_but_not_fork(visit: Client) -> None:
    visit.annotations.add("m", 3, name="helpful")
    visit.memory("m").fork("copy")
    visit.memory("m").rename("ada/m")
    assert positions(visit, "ada/m") == {"helpful": 3}
    assert len(visit.annotations.list()) == 1
    visit.memory("other").maintenance()
    with pytest.raises(Exception, match="exists already"):
        visit.memory("ada/m").rename("other")
    assert positions(visit, "ada/m") == {"helpful": 3}


def on_removal_of_annotations(sql: psycopg.Connection, statement: str) -> None:
    """Run a statement while annotations are removed, as draive may, which takes no locks."""
    sql.execute(
        f"""
        CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN {statement}; RETURN NULL; END $$;
        CREATE TRIGGER write AFTER DELETE ON draive_pg_annotations EXECUTE FUNCTION write();
        """.encode()
    )


@pytest.mark.usefixtures("one_server")  # a trigger
def test_annotations_stay_if_target_of_rename_is_created_meanwhile(
    visit: Client, sql: psycopg.Connection
) -> None:
    visit.annotations.add("m", 3, name="helpful")
    on_removal_of_annotations(sql, "INSERT INTO memories (identifier) VALUES ('new')")
    with pytest.raises(MemoryExists, match="memory 'new' exists already"):
        visit.memory("m").rename("new")
    assert positions(visit) == {"helpful": 3}


@pytest.mark.usefixtures("one_server")  # a trigger
def test_annotations_stay_if_memory_is_written_to_while_it_is_pruned(
    visit: Client, sql: psycopg.Connection
) -> None:
    visit.annotations.add("m", name="helpful")
    on_removal_of_annotations(
        sql,
        "INSERT INTO memories_variables (identifier, variables) SELECT identifier, '{}' "
        "FROM memories",
    )
    visit.memories.prune(timedelta(0), dry_run=False)
    assert len(visit.annotations.list()) == len(visit.memories.identifiers())


def test_removing_a_memory_removes_its_annotations(visit: Client) -> None:
    for name in ("erased", "pruned", "kept"):
        visit.memory(name).maintenance()
        visit.annotations.add(name, name=name)
    visit.annotations.add("m", 0, name="removed")
    visit.memories.remove("m")
    visit.memories.erase("erased", dry_run=False)
    visit.memories.prune(timedelta(0), prefix="pruned", dry_run=False)
    assert positions(visit) == {"kept": None}


def test_frame_can_be_merged_with_the_log(visit: Client) -> None:
    visit.annotations.add("m", 1, name="helpful", score=0.5, tags="x")
    visit.annotations.add("m", name="resolved")
    frame = visit.frames.annotations()
    assert frame["position"].isna().tolist() == [True, False]
    assert frame["tags"].tolist() == [(), ("x",)]
    log = visit.frames.conversation_log()
    merged = log.merge(frame, on=["identifier", "position"], how="left")
    assert len(merged) == len(log)
    assert merged["score"].dropna().tolist() == [0.5]
    assert visit.frames.annotations(backend="arrow")["position"].to_pylist() == [None, 1]
    assert len(visit.frames.annotations(variables={"n": 1})) == 0


def test_frame_with_missing_positions_is_exported(visit: Client, tmp_path: Path) -> None:
    visit.annotations.add("m", name="resolved")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert visit.frames.export("annotations", tmp_path / name) == 1
    assert json.loads((tmp_path / "a.jsonl").read_text())["position"] is None
    assert (tmp_path / "a.csv").read_text().splitlines()[1].startswith('"m",,"resolved"')


def test_exported_memories_keep_their_annotations(visit: Client, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    visit.annotations.add("m", 3, name="helpful", score=0.5, comment="ok", tags="x", author="ada")
    visit.annotations.add("m", name="resolved")
    before = visit.annotations.list()
    assert visit.memories.export_memories(path).annotations == 2
    visit.memories.remove("m")
    assert visit.memories.import_memories(path).annotations == 2
    assert visit.annotations.list() == before
    visit.annotations.remove("m", before[0].id)
    again = visit.memories.import_memories(path)
    assert (again.memories, again.unchanged) == (0, 1)
    assert visit.annotations.list() == before


def test_invalid_annotations_of_a_file_are_refused(db: Client, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    line = {"identifier": "x", "created": "2026-01-01Z", "variables": [], "elements": []}
    path.write_text(json.dumps(line | {"annotations": [{"created": "2026-01-01Z"}]}))
    with pytest.raises(ExportInvalid, match="line 1: annotations are not in the export format"):
        db.memories.import_memories(path)
    assert db.memories.identifiers() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"occurrence": 1 << 31},
        {"occurrence": 0},
        {"occurrence": True},
        {"score": math.inf},
        {"score": 10**400},
        {"comment": "\0"},
    ],
    ids=str,
)
def test_nothing_is_imported_if_an_annotation_cannot_be(
    visit: Client, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    path = tmp_path / "m.jsonl"
    visit.annotations.add("m", 3, name="helpful")
    visit.memories.export_memories(path, "m")
    visit.memories.remove("m")
    line = json.loads(path.read_text())
    line["annotations"][0]["content"] |= wrong
    path.write_text(json.dumps(line).replace("Infinity", "1e999"))
    with pytest.raises(DraivePGError):
        visit.memories.import_memories(path)
    assert "m" not in visit.memories.identifiers()


def test_chats_are_exported_with_annotations(visit: Client, tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    visit.memory("s").remember(variables={"system": "Be brief."})
    visit.memory("s").remember(asked("a"), answered("b"))
    visit.annotations.add("s", 1, name="helpful", score=1)
    visit.annotations.add("s", name="resolved", comment="yes")
    visit.memories.export_chats(path, "s", metadata=True)
    found = json.loads(path.read_text())["annotations"]
    assert [(each.get("message"), each["name"], each["score"]) for each in found] == [
        (2, "helpful", 1.0),
        (None, "resolved", None),
    ]
    visit.memories.export_chats(path, "s")
    assert "annotations" not in json.loads(path.read_text())


@pytest.mark.parametrize(
    ("format_", "list_", "place"),
    [
        ("openai", "messages", 4),
        ("anthropic", "messages", 2),
        ("responses", "input", 4),
        ("sharegpt", "conversations", 5),
    ],
)
def test_annotation_of_an_exported_chat_has_the_index_of_its_message(
    visit: Client, tmp_path: Path, format_: ExportFormat, list_: str, place: int
) -> None:
    called = {"id": "1", "function": {"name": "f", "arguments": "{}"}}
    texts = [{"role": "user", "content": each} for each in "ab"]
    answer = {"role": "assistant", "content": "c", "tool_calls": [called]}
    result = {"role": "tool", "tool_call_id": "1", "content": "d"}
    system = {"role": "system", "content": "Be brief."}
    visit.memories.import_chat("t", [system, *texts, answer, result])
    visit.annotations.add("t", 3, name="helpful", score=1)
    path = tmp_path / "chats.jsonl"
    visit.memories.export_chats(path, "t", format=format_, metadata=True)
    found = json.loads(path.read_text())
    assert found["annotations"][0]["message"] == place
    assert '"d"' in json.dumps(found[list_][place])


def test_database_of_an_older_version_has_no_annotations(
    visit: Client, sql: psycopg.Connection, tmp_path: Path
) -> None:
    sql.execute("DROP TABLE draive_pg_annotations")
    assert visit.annotations.list() == ()
    assert len(visit.frames.annotations()) == 0
    visit.memories.export_memories(tmp_path / "all.jsonl")
    visit.memory("m").rename("n")
    visit.memories.erase("x", dry_run=False)
    visit.memories.prune(timedelta(0), dry_run=False)
    visit.memory("n").remove()
    assert visit.memories.identifiers() == ()
    assert visit.setup()[0] == "024_annotations"


def test_elements_of_turns_are_annotated(connect: Connect, empty_dsn: str, tmp_path: Path) -> None:
    set_up(empty_dsn, LINE_118)
    db = connect(empty_dsn)
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    db.memories.import_chat(
        "m",
        [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "two"},
            {"role": "assistant", "content": "Two."},
        ],
    )
    for position in range(4):
        db.annotations.add("m", position, name=f"n{position}")
    expected = {f"n{position}": position for position in range(4)}
    db.memory("m").rename("n")
    assert positions(db, "n") == expected
    db.memories.export_memories(tmp_path / "all.jsonl")
    assert db.memory("n").remove()
    assert positions(db) == {}
    db.memories.import_memories(tmp_path / "all.jsonl")
    assert positions(db, "n") == expected
    db.convert("0.89", source="0.118", dry_run=True)


def test_command_annotates_lists_and_removes(
    shell: Shell, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAIVE_PG_DSN", dsn)
    with Client(dsn) as db:
        db.memory("m").remember(asked("a"))
    options = ("--position", 0, "--score", 0.5, "--tag", "x", "--tag", "y", "--author", "ada")
    added = shell("memories", "annotate", "m", "helpful", *options, "--id", "one", "--json")
    assert_ok(added)
    assert json.loads(added.out)["tags"] == ["x", "y"]
    shell("memories", "annotate", "m", "resolved", "--comment", "fine")
    cut = shell("memories", "annotations", "m", "--limit", 1)
    assert "the first 1, there are more: --all or --limit shows more" in cut.err
    assert [
        each["name"] for each in json.loads(shell("memories", "annotations", "--json").out)
    ] == [
        "resolved",
        "helpful",
    ]
    assert shell("memories", "unannotate", "m", "one").out == "Removed 1 of 1.\n"
    assert shell("memories", "unannotate", "m", "one").code == 1
    assert_one_line_error(shell("memories", "annotate", "n", "helpful"), "no such memory")
