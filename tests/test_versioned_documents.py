"""What instructions and configurations have in common, for both kinds and through both clients."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from draive.models.instructions import InstructionsMissing
from haiway import ConfigurationMissing

import draive_pg
from draive_pg import (
    AsyncClient,
    Client,
    DocumentExists,
    DocumentMissing,
    RevisionConflict,
    RevisionMissing,
)
from draive_pg.models.documents import Revision, Snapshot
from tests.conftest import Connect
from tests.schema import DRAIVE_TABLES, run_sql
from tests.sync_facade import run_concurrently

DUMP = Path(__file__).parent / "data" / "version_0_1_0.sql"


@dataclass
class Kind:
    """The namespace of a kind, and documents that differ by a number."""

    db: Client
    name: str

    @property
    def namespace(self) -> Any:
        return getattr(self.db, self.name)

    def content(self, number: int) -> Any:
        return f"number {number}" if self.name == "instructions" else {"number": number}

    def define(self, name: str, number: int, **options: Any) -> Any:
        if self.name == "instructions":
            return self.namespace.define(name, content=self.content(number), **options)
        return self.namespace.define(name, self.content(number), **options)

    def numbers(self, records: Sequence[Any]) -> list[int]:
        return [
            int(each.content.split()[1]) if isinstance(each, Revision) else each.content["number"]
            for each in records
        ]

    @property
    def missing(self) -> type[Exception]:
        return InstructionsMissing if self.name == "instructions" else ConfigurationMissing


@pytest.fixture(params=["instructions", "configurations"])
def kind(request: pytest.FixtureRequest, db: Client) -> Kind:
    return Kind(db, request.param)


@pytest.fixture
def three(kind: Kind) -> Kind:
    """A document with three revisions."""
    kind.define("a", 1, message="the first", author="ada")
    kind.define("a", 2)
    kind.define("a", 3, message="the third", author="bo")
    return kind


def names(records: Sequence[Any]) -> list[str]:
    return [each.identifier if isinstance(each, Snapshot) else each.name for each in records]


def test_author_message_and_labels_are_kept_with_a_revision(three: Kind) -> None:
    three.namespace.label("a", "production", 2, author="cy", message="go")
    history = three.namespace.history("a")
    assert three.numbers(history) == [3, 2, 1]
    assert [each.author for each in history] == ["bo", None, "ada"]
    assert [each.message for each in history] == ["the third", None, "the first"]
    assert [each.labels for each in history] == [(), ("production",), ()]
    assert [each.current for each in history] == [True, False, False]
    assert three.namespace.revision("a", "production") == history[1]
    assert three.namespace.revision("a", history[2].created) == history[2]
    assert three.namespace.revision("a") == history[0]


def test_labels_are_moved_on_condition_and_their_history_is_kept(three: Kind) -> None:
    label = partial(three.namespace.label, "a", "production")
    assert label(1, expected=0).revision == 1
    with pytest.raises(RevisionConflict, match="the label is on revision 1, since 20"):
        label(2, expected=three.namespace.revision("a", 3))
    moved = label(3, expected=three.namespace.revision("a", 1))
    assert moved.revision_created == three.namespace.revision("a").created
    assert three.namespace.unlabel("a", "production") is True
    moves = three.namespace.label_history("a", "production")
    assert [each.revision for each in moves] == [None, 3, 1]
    assert three.namespace.labels() == three.namespace.labels("a") == ()


def test_revisions_are_compared_restored_and_searched(three: Kind) -> None:
    diff = three.namespace.diff("a", 1)
    assert diff
    assert "number" in str(diff)
    assert len(repr(diff)) < 200
    assert not three.namespace.diff("a", 2, 2)
    restored = three.namespace.restore("a", 1, message="back", author="cy", expected=3)
    assert (restored.revision, restored.message, restored.author) == (4, "back", "cy")
    assert three.numbers([restored]) == [1]
    assert three.namespace.restore("a", 1) == restored
    with pytest.raises(RevisionConflict):
        three.namespace.restore("a", 2, expected=3)
    found = three.namespace.search("NUMBER", author="ada")
    assert [each.revision for each in found] == [1]
    assert [each.revision for each in three.namespace.search(current=True)] == [4]


def test_the_list_has_the_current_revision_of_each_document(three: Kind) -> None:
    before = datetime.now(UTC)
    three.define("b", 7)
    three.namespace.label("a", "production", 2)
    list_ = three.namespace.list
    assert list_() == tuple(three.namespace.revision(name) for name in ("a", "b"))
    assert list_() == three.namespace.search(current=True)
    assert names(list_("b")) == ["b"]
    assert names(list_(limit=1)) == ["a"]
    assert three.numbers(list_(label="production")) == [2]
    assert list_(label="staging") == ()
    assert names(list_(as_of=before - timedelta(days=1))) == []
    assert list_("nothing") == ()


def test_a_renamed_document_keeps_everything(three: Kind) -> None:
    three.namespace.label("a", "production", 2, author="cy", message="go")
    three.namespace.label("a", "production", 3)
    before, moves = three.namespace.history("a"), three.namespace.label_history("a")
    renamed = three.namespace.rename("a", "b")
    after = three.namespace.history("b")
    assert renamed == after[0]
    assert names(after) == ["b"] * 3
    for name in ("revision", "created", "content", "author", "message", "labels", "current"):
        assert [getattr(each, name) for each in after] == [getattr(each, name) for each in before]
    assert [(each.moved, each.revision, each.author) for each in moves] == [
        (each.moved, each.revision, each.author) for each in three.namespace.label_history("b")
    ]
    assert three.namespace.history("a") == three.namespace.label_history("a") == ()


def test_a_rename_takes_no_name_in_use_and_nothing_that_is_not_there(three: Kind) -> None:
    three.define("b", 7)
    with pytest.raises(DocumentExists, match="'b' exists already"):
        three.namespace.rename("a", "b")
    with pytest.raises(three.missing):
        three.namespace.rename("c", "d")
    with pytest.raises(three.missing):  # and not the advice to remove "b"
        three.namespace.rename("c", "b")
    with pytest.raises(ValueError, match="the new name is the old one"):
        three.namespace.rename("a", "a")
    assert [len(three.namespace.history(name)) for name in "ab"] == [3, 1]


def test_labels_of_a_removed_document_do_not_hide_those_of_a_renamed_one(three: Kind) -> None:
    three.namespace.label("a", "production", 2)
    three.define("b", 7)
    three.namespace.label("b", "production")
    three.namespace.remove("b")
    three.namespace.rename("a", "b")
    assert three.namespace.revision("b", "production").revision == 2


def define_and_rename(db: Any, *, kind: str, number: int) -> Any:
    if isinstance(db, AsyncClient):
        return _define_and_rename(db, kind=kind, number=number)
    namespace = Kind(db, kind)
    namespace.define("a", number)
    with suppress(DocumentExists, DocumentMissing):
        namespace.namespace.rename("a", f"a{number}")
    return None


async def _define_and_rename(db: AsyncClient, *, kind: str, number: int) -> None:
    await Kind(db, kind).define("a", number)  # type: ignore[arg-type]
    with suppress(DocumentExists, DocumentMissing):
        await getattr(db, kind).rename("a", f"a{number}")


def test_no_revision_is_lost_by_renames_among_definitions(kind: Kind) -> None:
    users = [
        [partial(define_and_rename, kind=kind.name, number=10 * user + n) for n in range(5)]
        for user in range(1, 5)
    ]
    run_concurrently(kind.db, *users)
    found = kind.numbers(kind.namespace.search())
    assert sorted(found) == sorted(10 * user + n for user in range(1, 5) for n in range(5))


def test_a_label_is_promoted_to_where_another_one_is(three: Kind) -> None:
    three.define("b", 7)
    three.define("c", 8)
    three.namespace.label("a", "staging", 2)
    three.namespace.label("b", "staging")
    moved = three.namespace.promote("staging", "production", message="go", author="cy")
    assert [(each.name, each.revision, each.author) for each in moved] == [
        ("a", 2, "cy"),
        ("b", 1, "cy"),
    ]
    three.namespace.label("a", "staging", 3)
    with pytest.raises(RevisionMissing, match="no label 'staging'"):
        three.namespace.promote("staging", "production", ["a", "c"])
    assert three.namespace.revision("a", "production").revision == 2


def test_an_error_for_a_missing_document_suggests_similar_names(kind: Kind) -> None:
    kind.define("support/greeting", 1)
    with pytest.raises(kind.missing, match="similar names: 'support/greeting'") as caught:
        kind.namespace.revision("support/greetng")
    assert isinstance(caught.value, DocumentMissing)
    with pytest.raises(kind.missing) as caught:
        kind.namespace.label("nothing", "production")
    assert "similar" not in str(caught.value)


def test_missing_instructions_are_an_error_of_both_packages_when_loaded(db: Client) -> None:
    for load in (db.instructions.load, db.instructions.resolve):
        with pytest.raises(DocumentMissing, match="there are no instructions of that name"):
            load("greeting")


def test_a_configuration_is_loaded_by_label_and_number(db: Client) -> None:
    first = db.configurations.define("limits", {"n": 1})
    db.configurations.define("limits", {"n": 2})
    moved = db.configurations.label("limits", "production", first).moved
    for _ in range(2):
        assert db.configurations.load_raw("limits", label="production") == {"n": 1}
        assert db.configurations.load_raw("limits", revision=first) == {"n": 1}
        assert db.configurations.load_raw("limits", label="production", as_of=moved) == {"n": 1}
    with pytest.raises(RevisionMissing, match=r"no label 'staging'.*and 'production'"):
        db.configurations.load_raw("limits", label="staging")
    assert db.configurations.load_raw("none", label="staging") is None
    db.configurations.label("limits", "production")
    assert db.configurations.load_raw("limits", label="production") == {"n": 2}


def test_a_release_moves_labels_of_configurations(db: Client) -> None:
    made = db.release(
        configurations={"limits": {"n": 1}},
        configuration_labels={"production": ["limits"]},
        message="why",
        author="ada",
    )
    assert [(each.message, each.author) for each in made.configurations] == [("why", "ada")]
    assert made.configuration_labels == db.configurations.labels()
    db.configurations.define("limits", {"n": 2})
    with pytest.raises(RevisionConflict):
        db.release(
            configuration_labels={"production": {"limits": 2}},
            expected_configurations={"limits": 2},
        )
    db.release(
        configuration_labels={"production": {"limits": 2}}, expected_configurations={"limits": 1}
    )
    assert db.configurations.load_raw("limits", label="production") == {"n": 2}


def test_old_names_warn_and_work(db: Client) -> None:
    db.configurations.define("limits", {})
    with pytest.warns(DeprecationWarning, match=r"use list\(\)"):
        assert db.configurations.newest() == db.configurations.list()
    with pytest.warns(DeprecationWarning, match="use LabelMove"):
        assert draive_pg.Label is draive_pg.LabelMove
    move = db.configurations.label("limits", "production")
    with pytest.warns(DeprecationWarning, match="use revision_created"):
        assert move.created == move.revision_created


def test_configurations_need_no_tables_of_our_own(connect: Connect, empty_dsn: str) -> None:
    run_sql(empty_dsn, DRAIVE_TABLES)
    db = connect(empty_dsn)
    first = db.configurations.define("limits", {"n": 1}, expected=0)
    db.configurations.define("limits", {"n": 2}, expected=first)
    assert [each.revision for each in db.configurations.history("limits")] == [2, 1]
    assert [each.revision for each in db.configurations.list()] == [2]
    assert db.configurations.load_raw("limits", revision=1) == {"n": 1}
    assert db.configurations.restore("limits", 1).revision == 3
    assert list(db.frames.configurations().revision) == [1, 2, 3]
    assert len(db.frames.instruction_revisions()) == 0


def test_the_frames_have_authors_messages_and_labels(three: Kind) -> None:
    three.namespace.label("a", "production", 2)
    three.namespace.label("a", "canary", 2)
    frames = three.db.frames
    read = frames.instruction_revisions if three.name == "instructions" else frames.configurations
    frame = read("a")
    assert list(frame.revision) == [1, 2, 3]
    assert list(frame.author.fillna("-")) == ["ada", "-", "bo"]
    assert list(frame.message.fillna("-")) == ["the first", "-", "the third"]
    assert [list(labels) for labels in frame.labels] == [[], ["canary", "production"], []]
    assert list(frame.current) == [False, False, True]


TABLES = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", DUMP.read_text(encoding="utf-8"))


def rows(dsn: str) -> dict[str, list[str]]:
    with psycopg.connect(dsn) as connection:
        return {
            table: sorted(
                str(row)
                for row in connection.execute(f"SELECT {table}::TEXT FROM {table}".encode())
            )
            for table in TABLES
        }


def test_a_database_of_version_0_1_0_is_upgraded_with_nothing_lost(
    connect: Connect, empty_dsn: str
) -> None:
    run_sql(empty_dsn, DUMP.read_text(encoding="utf-8"))
    db, before = connect(empty_dsn), rows(empty_dsn)
    assert [each.revision for each in db.configurations.history("limits")] == [2, 1]
    assert db.instructions.revision("greeting", "production").revision == 1
    (applied,) = db.setup()
    assert applied.startswith("009")
    after = rows(empty_dsn)
    migrations = after.pop("draive_pg_migrations")
    assert set(before.pop("draive_pg_migrations")) < set(migrations)
    assert after == before
    second, first = db.instructions.history("greeting")
    assert (first.author, first.message, first.labels) == ("ada", "the first", ("production",))
    assert second.meta == {"n": 1.0}
    moves = db.instructions.label_history("greeting")
    assert [each.revision for each in moves] == [None, 1, 2]
    assert db.configurations.load_raw("limits") == {"tokens": 2, "ratio": 1.0}
    assert db.configurations.label("limits", "production", 1).revision == 1
    assert len(db.memory("m").recall().context) == 1
    assert db.diagnose().problems == ()
