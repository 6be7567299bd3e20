"""Common behaviour of instructions and configurations, with both clients."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
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
    OperationFailed,
    RevisionConflict,
    RevisionLabelled,
    RevisionMissing,
    StoredDataSkipped,
)
from draive_pg.models.documents import document_name
from tests.conftest import Connect
from tests.elements import asked
from tests.schema import DRAIVE_TABLES, make_role, run_sql
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

    @property
    def has_text(self) -> bool:
        return self.name != "configurations"

    @property
    def key(self) -> str:
        return "name" if self.name == "instructions" else "identifier"

    @property
    def prefix(self) -> str:
        """How the names of the tables of draive_pg begin."""
        prefixes = {"templates": "template_", "configurations": "configuration_"}
        return f"draive_pg_{prefixes.get(self.name, '')}"

    def load(self, name: str, **options: Any) -> Any:
        load = self.namespace.load if self.has_text else self.namespace.load_raw
        return load(name, **options)

    def content(self, number: int) -> Any:
        return f"number {number}" if self.has_text else {"number": number}

    def define(self, name: str, number: int, **options: Any) -> Any:
        if self.has_text:
            return self.namespace.define(name, content=self.content(number), **options)
        return self.namespace.define(name, self.content(number), **options)

    def numbers(self, records: Sequence[Any]) -> list[int]:
        contents = [each.content for each in records]
        return [
            int(content.split()[1]) if self.has_text else content["number"] for content in contents
        ]

    def frame(self) -> pd.DataFrame:
        return self.read_frame()

    def read_frame(self, *names: str) -> pd.DataFrame:
        frames = self.db.frames
        match self.name:
            case "instructions":
                return frames.instruction_revisions(*names)
            case "templates":
                return frames.template_revisions(*names)
            case _:
                return frames.configurations(*names)

    def live(self, name: str) -> pd.DataFrame:
        analysis = self.db.analysis
        match self.name:
            case "instructions":
                return analysis.live_instructions(name)
            case "templates":
                return analysis.live_templates(name)
            case _:
                return analysis.live_configurations(name)

    @property
    def missing(self) -> type[Exception]:
        errors: dict[str, type[Exception]] = {
            "instructions": InstructionsMissing,
            "templates": DocumentMissing,
            "configurations": ConfigurationMissing,
        }
        return errors[self.name]


@pytest.fixture
def dsn(templates_dsn: str) -> str:
    return templates_dsn


@pytest.fixture(params=["instructions", "templates", "configurations"])
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
    return [document_name(each) for each in records]


def test_revision_has_author_message_and_labels(three: Kind) -> None:
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


def test_conditional_label_move_and_label_history(three: Kind) -> None:
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


def test_diff_restore_and_search(three: Kind) -> None:
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


def test_list_has_current_revision_of_each_document(three: Kind) -> None:
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


def test_rename_keeps_revisions_and_labels(three: Kind) -> None:
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


def test_rename_rejects_existing_name_and_missing_document(three: Kind) -> None:
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


def test_labels_of_removed_name_do_not_hide_those_of_renamed_one(three: Kind) -> None:
    three.namespace.label("a", "production", 2)
    three.define("b", 7)
    three.namespace.label("b", "production")
    three.namespace.remove("b", labelled=True)
    three.namespace.rename("a", "b")
    assert three.numbers([three.namespace.revision("b", "production")]) == [2]


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


def test_concurrent_renames_and_defines_lose_no_revision(kind: Kind) -> None:
    users = [
        [partial(define_and_rename, kind=kind.name, number=10 * user + n) for n in range(5)]
        for user in range(1, 5)
    ]
    run_concurrently(kind.db, *users)
    found = kind.numbers(kind.namespace.search())
    assert sorted(found) == sorted(10 * user + n for user in range(1, 5) for n in range(5))


def test_promote_moves_label_to_revisions_of_another_label(three: Kind) -> None:
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


def test_missing_document_error_suggests_similar_names(kind: Kind) -> None:
    kind.define("support/greeting", 1)
    with pytest.raises(kind.missing, match="similar: 'support/greeting'") as caught:
        kind.namespace.revision("support/greetng")
    assert isinstance(caught.value, DocumentMissing)
    with pytest.raises(kind.missing) as caught:
        kind.namespace.label("nothing", "production")
    assert "similar" not in str(caught.value)


def test_load_of_missing_instructions_raises_document_missing(db: Client) -> None:
    for load in (db.instructions.load, db.instructions.resolve):
        with pytest.raises(DocumentMissing, match="there are no instructions of that name"):
            load("greeting")


def test_load_configuration_by_label_and_revision(db: Client) -> None:
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


def test_release_moves_labels_of_configurations(db: Client) -> None:
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


def test_deprecated_names_warn_and_work(db: Client) -> None:
    db.configurations.define("limits", {})
    with pytest.warns(DeprecationWarning, match=r"use list\(\)"):
        assert db.configurations.newest() == db.configurations.list()
    with pytest.warns(DeprecationWarning, match="use LabelMove"):
        assert draive_pg.Label is draive_pg.LabelMove
    move = db.configurations.label("limits", "production")
    with pytest.warns(DeprecationWarning, match="use revision_created"):
        assert move.created == move.revision_created


def test_configurations_work_without_tables_of_draive_pg(connect: Connect, empty_dsn: str) -> None:
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


def test_frames_have_author_message_and_labels(three: Kind) -> None:
    three.namespace.label("a", "production", 2)
    three.namespace.label("a", "canary", 2)
    frame = three.read_frame("a")
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
                for row in connection.execute(
                    # These columns are newer than the dump.
                    f"SELECT (to_jsonb({table}) - 'digest' - 'released')::TEXT "
                    f"FROM {table}".encode()
                )
            )
            for table in TABLES
        }


def test_upgrade_from_version_0_1_0_loses_nothing(connect: Connect, empty_dsn: str) -> None:
    run_sql(empty_dsn, DUMP.read_text(encoding="utf-8"))
    db, before = connect(empty_dsn), rows(empty_dsn)
    assert [each.revision for each in db.configurations.history("limits")] == [2, 1]
    assert db.instructions.revision("greeting", "production").revision == 1
    assert [name[:3] for name in db.setup()] == [
        "009",
        "010",
        "011",
        "012",
        "013",
        "020",
        "022",
        "023",
        "024",
        "025",
        "026",
    ]
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


# --- Numbers are never used twice


def remove(kind: Kind, sql: psycopg.Connection, by: str) -> None:
    match by:
        case "remove":
            kind.namespace.remove("a")
        case "DELETE":
            sql.execute(f"DELETE FROM {kind.name}".encode())
        case _:
            sql.execute(f"TRUNCATE {kind.name} CASCADE".encode())


@pytest.mark.parametrize("by", ["remove", "DELETE", "TRUNCATE"])
def test_revision_numbers_continue_after_removal(
    three: Kind, sql: psycopg.Connection, by: str
) -> None:
    remove(three, sql, by)
    assert three.namespace.history("a") == ()
    assert three.define("a", 7, expected=0).revision == 4
    assert three.define("a", 8, expected=4).revision == 5
    assert [each.revision for each in three.namespace.history("a")] == [5, 4]
    assert [each.revision for each in three.namespace.search()] == [5, 4]
    assert [each.revision for each in three.namespace.list()] == [5]
    with pytest.raises(RevisionMissing, match="no revision 1; there are 2 revisions up to 5"):
        three.namespace.revision("a", 1)
    assert three.numbers([three.namespace.revision("a", 4)]) == [7]


def test_number_of_removed_newest_revision_is_not_reused(
    three: Kind, sql: psycopg.Connection
) -> None:
    future = f"UPDATE {three.name} SET created = '2099-01-01' WHERE content::TEXT ~ '3'"
    sql.execute(future.encode())
    assert three.namespace.remove("a", revision=3) == 1
    assert three.define("a", 4).revision == 4


def test_remove_deletes_single_revision(three: Kind) -> None:
    first, second, third = (three.namespace.revision("a", number) for number in (1, 2, 3))
    assert three.namespace.remove("a", revision=2) == 1
    assert list(three.namespace.history("a")) == [third, first]
    for missing in (2, second):
        with pytest.raises(RevisionMissing, match="there are 2 revisions up to 3"):
            three.namespace.remove("a", revision=missing)
    assert three.namespace.remove("a", revision=third) == 1
    assert three.numbers([three.namespace.revision("a")]) == [1]
    assert three.define("a", 4).revision == 4
    assert three.namespace.remove("a") == 2
    assert three.namespace.remove("a") == 0


def test_frames_and_listings_have_equal_revision_numbers(three: Kind) -> None:
    three.namespace.remove("a", revision=2)
    assert list(three.read_frame("a").revision) == [1, 3]


def test_rename_keeps_revision_numbers(three: Kind) -> None:
    three.namespace.remove("a", revision=2)
    assert three.namespace.rename("a", "b").revision == 3
    assert [each.revision for each in three.namespace.history("b")] == [3, 1]
    assert three.define("a", 7).revision == 4
    three.namespace.remove("a")
    with pytest.raises(RevisionMissing):
        three.namespace.revision("b", 2)
    assert three.define("b", 8).revision == 4


def test_document_renamed_back_keeps_revision_numbers(three: Kind) -> None:
    before = three.namespace.history("a")
    three.namespace.rename("a", "b")
    three.namespace.rename("b", "a")
    assert three.namespace.history("a") == before


def test_numbers_of_removed_document_are_not_reused_by_renamed_one(kind: Kind) -> None:
    kind.define("b", 1)
    kind.define("a", 10)
    kind.define("b", 2)
    kind.define("a", 11)
    kind.namespace.remove("b")
    kind.namespace.rename("a", "b")
    for number in (1, 2):
        with pytest.raises(RevisionMissing):
            kind.namespace.revision("b", number)
    assert kind.numbers(kind.namespace.history("b")) == [11, 10]


def test_numbers_of_renamed_document_follow_those_of_removed_one(kind: Kind) -> None:
    kind.define("b", 1)
    kind.define("b", 2)
    kind.namespace.remove("b")
    kind.define("a", 10)
    kind.define("a", 11)
    kind.namespace.rename("a", "b")
    assert [each.revision for each in kind.namespace.history("b")] == [4, 3]
    assert kind.define("b", 12).revision == 5


def test_remove_needs_no_privilege_on_removals_table(
    server_roles: None, kind: Kind, dsn: str, connect: Connect
) -> None:
    kind.define("a", 1)
    tables = ", ".join(f"{kind.prefix}{table}" for table in ("revisions", "labels", "removals"))
    grants = (f"SELECT, INSERT, DELETE ON {kind.name}", f"SELECT ON {tables}")
    role = make_role(dsn, "dpg_test_writer", *grants)
    writer = Kind(connect(role), kind.name)
    assert writer.namespace.remove("a") == 1
    assert writer.define("a", 2).revision == 2


# --- Labels protect revisions


def test_remove_rejects_labelled_revision_unless_requested(three: Kind) -> None:
    three.namespace.label("a", "production", 2)
    message = "it has the label 'production'; move or remove the label first, or use labelled=True"
    for revision in (None, 2, "production"):
        with pytest.raises(RevisionLabelled, match=message):
            three.namespace.remove("a", revision=revision)
    assert len(three.namespace.history("a")) == 3
    assert three.namespace.remove("a", revision=3) == 1
    assert three.namespace.remove("a", revision=2, labelled=True) == 1
    assert three.namespace.labels("a") == ()
    assert three.namespace.remove("a") == 1


def test_conditional_remove_checks_expected_revision(three: Kind) -> None:
    for expected in (0, 2, 4, three.namespace.revision("a", 1)):
        with pytest.raises(RevisionConflict, match="but the newest is revision 3 of 20"):
            three.namespace.remove("a", revision=1, expected=expected)
    assert three.namespace.remove("a", revision=1, expected=3) == 1
    assert three.namespace.remove("a", expected=three.namespace.revision("a")) == 2
    with pytest.raises(RevisionConflict, match="but there is none"):
        three.namespace.remove("a", expected=3)


def test_conditional_unlabel_checks_expected_revision(three: Kind) -> None:
    unlabel = partial(three.namespace.unlabel, "a", "production")
    with pytest.raises(RevisionConflict, match="the label is on none"):
        unlabel(expected=1)
    three.namespace.label("a", "production", 2)
    for expected in (1, three.namespace.revision("a", 3)):
        with pytest.raises(RevisionConflict, match="the label is on revision 2, since 20"):
            unlabel(expected=expected)
    assert unlabel(expected=2) is True
    assert unlabel(expected=0) is False


FORGED = {
    "instructions": "'number 9'",
    "templates": "'number 9'",
    "configurations": """'{"number": 9}'""",
}


def test_label_does_not_apply_to_other_content_with_same_timestamp(
    three: Kind, sql: psycopg.Connection
) -> None:
    three.namespace.label("a", "production", 2)
    sql.execute(
        f"WITH gone AS (DELETE FROM {three.name} WHERE content::TEXT ~ '2' RETURNING created) "
        f"INSERT INTO {three.name} ({three.key}, created, content) "
        f"SELECT 'a', created, {FORGED[three.name]} FROM gone".encode()
    )
    says = "the revision with the label 'production' has another content than when it was labelled"
    with pytest.raises(RevisionMissing, match=says):
        three.namespace.revision("a", "production")
    with pytest.raises(RevisionMissing, match=says):
        three.load("a", label="production")
    assert three.namespace.labels() == ()
    assert three.namespace.list(label="production") == ()
    assert three.namespace.search(label="production") == ()
    assert three.namespace.history("a")[1].labels == ()
    assert list(three.frame().labels) == [(), (), ()]
    assert three.namespace.label("a", "production", 2).revision == 2  # it was checked
    assert list(three.frame().labels) == [(), ("production",), ()]
    assert three.numbers([three.namespace.revision("a", "production")]) == [9]


def test_label_does_not_apply_to_other_declaration(db: Client, sql: psycopg.Connection) -> None:
    db.instructions.define("a", content="Hi {name}")
    db.instructions.label("a", "production")
    sql.execute('UPDATE instructions SET arguments = \'[{"name": "other"}]\'')
    with pytest.raises(RevisionMissing, match="another content"):
        db.instructions.load("a", label="production")


def test_labels_of_previous_version_are_used_unchecked(
    kind: Kind, sql: psycopg.Connection, connect: Connect, dsn: str
) -> None:
    kind.define("a", 1)
    kind.namespace.label("a", "production")
    for statement in (
        f"ALTER TABLE {kind.prefix}labels DROP COLUMN digest",
        f"DROP TABLE {kind.prefix}removals",
    ):
        sql.execute(statement.encode())
    sql.execute(f"DROP TRIGGER draive_pg_record_removal ON {kind.name}".encode())
    kind = Kind(connect(dsn), kind.name)
    assert kind.numbers([kind.namespace.revision("a", "production")]) == [1]
    assert kind.namespace.list(label="production")[0].labels == ("production",)
    assert kind.define("a", 2, author="ada").revision == 2
    with pytest.raises(OperationFailed, match="setup"):
        kind.namespace.label("a", "production")


@pytest.mark.parametrize("label", ["production ", "\tproduction", "production\u00a0"])
def test_label_with_surrounding_whitespace_is_rejected(three: Kind, label: str) -> None:
    namespace = three.namespace
    calls: list[Callable[[], object]] = [
        lambda: namespace.label("a", label),
        lambda: namespace.label("a", "staging", label),
        lambda: namespace.revision("a", label),
        lambda: namespace.diff("a", label),
        lambda: namespace.list(label=label),
        lambda: namespace.search(label=label),
        lambda: namespace.promote(label, "production"),
        lambda: namespace.promote("production", label, ["a"]),
        lambda: three.db.release(labels={label: ["a"]}),
        lambda: three.db.release(configuration_labels={label: ["a"]}),
        lambda: three.db.instructions.load("a", label=label),
        lambda: three.db.configurations.load_raw("a", label=label),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="must not begin or end with white space"):
            call()
    assert namespace.unlabel("a", label) is False  # removes one that an older version accepted


def test_live_revisions_of_missing_name_are_rejected(three: Kind) -> None:
    with pytest.raises(three.missing, match=r"identifier= chooses memories.*similar: 'a'"):
        three.live("a1")


@pytest.mark.parametrize("name", ["instructions", "configurations"])
def test_live_revisions_of_label_that_name_never_had_are_rejected(db: Client, name: str) -> None:
    kind = Kind(db, name)
    kind.define("a", 1)
    kind.namespace.label("a", "production")
    live = getattr(db.analysis, f"live_{name}")
    with pytest.raises(RevisionMissing, match="no label 'prod'; there is revision 1, and 'prod"):
        live("a", label="prod")
    with pytest.raises(kind.missing):
        live(["a", "b"], label="production")
    kind.namespace.unlabel("a", "production")
    assert len(live("a", label="production")) == 0  # no elements


def test_promote_of_unused_label_is_rejected(three: Kind) -> None:
    with pytest.raises(RevisionMissing, match="has the label 'stagin'"):
        three.namespace.promote("stagin", "production")
    with pytest.raises(ValueError, match="promote from 'latest' needs names"):
        three.namespace.promote("latest", "production")
    assert three.namespace.promote("latest", "production", ["a"])[0].revision == 3


# --- Times that Python cannot represent


UNREADABLE = ["infinity", "-infinity", "15000-01-01 00:00Z", "4000-01-01 00:00Z BC"]


@pytest.mark.parametrize("time", UNREADABLE)
def test_revision_with_unreadable_timestamp_is_skipped_with_warning(
    kind: Kind, sql: psycopg.Connection, time: str, tmp_path: Path
) -> None:
    for name in ("a", "broken"):
        sql.execute(
            f"INSERT INTO {kind.name} ({kind.key}, created, content) "
            f"VALUES ('{name}', '{time}', {FORGED[kind.name]})".encode()
        )
    kind.define("b", 1)
    assert kind.define("a", 2, expected=0).revision == 1
    assert kind.define("a", 3, expected=1).revision == 2
    kind.namespace.label("a", "production")
    assert kind.namespace.revision("a").revision == 2
    assert kind.load("a") == kind.load("a", label="production") == kind.content(3)
    listings: list[tuple[Callable[[], Sequence[Any]], list[int]]] = [
        (kind.namespace.list, [3, 1]),
        (lambda: kind.namespace.list(label="production"), [3]),
        (lambda: kind.namespace.history("a"), [3, 2]),
        (lambda: kind.namespace.search("number"), [3, 2, 1]),
    ]
    for listing, numbers in listings:
        with pytest.warns(StoredDataSkipped) as caught:
            assert kind.numbers(listing()) == numbers
        assert any(f"'a' at {time[:4]}" in str(each.message) for each in caught)
    with pytest.warns(StoredDataSkipped):
        assert kind.namespace.pull(tmp_path / "folder").done
    with pytest.warns(StoredDataSkipped):
        assert not kind.namespace.status(tmp_path / "folder").drift
    assert kind.namespace.restore("a", 1).revision == 3
    assert kind.namespace.remove("broken") == 1
    kind.db.memory("m").remember(asked("q"))
    assert list(kind.live("a").revision) == [3]


def test_removed_revision_with_unreadable_timestamp_is_not_counted(
    kind: Kind, sql: psycopg.Connection
) -> None:
    for time in UNREADABLE:
        sql.execute(
            f"INSERT INTO {kind.name} ({kind.key}, created, content) "
            f"VALUES ('a', '{time}', {FORGED[kind.name]})".encode()
        )
    assert kind.namespace.remove("a") == len(UNREADABLE)
    assert kind.define("a", 1).revision == 1
    assert kind.namespace.history("a")[0].revision == 1


# --- Large texts


@pytest.mark.slow
def test_search_finds_text_in_large_document(db: Client) -> None:
    db.instructions.define("small", content="Needle")
    db.instructions.define("large", content=f"{'x' * 19_999_997}NEEDLE{'x' * 1_000_000}")
    assert [each.name for each in db.instructions.search("needle")] == ["large", "small"]
    assert [each.name for each in db.instructions.search("xneedlex")] == ["large"]
    assert db.instructions.search("needles") == ()
