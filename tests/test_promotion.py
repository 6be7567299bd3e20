"""Promoting and rolling back labels, of one kind and of all."""

import re
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from draive_pg import (
    Client,
    DocumentMissing,
    RevisionConflict,
    RevisionMissing,
    TemplateInvalid,
)
from tests.server import wait_for_lock_waiters


def test_newest_release_is_rolled_back(db: Client) -> None:
    for text in "12":
        db.release(
            prompts=dict.fromkeys("abc", text),
            labels={"production": list("ab" if text == "2" else "abc")},
        )
    moved = db.instructions.rollback("production", author="ada", message="why")
    assert [(each.name, each.revision) for each in moved] == [("a", 1), ("b", 1)]
    assert {(each.author, each.message) for each in moved} == {("ada", "why")}
    assert db.instructions.load("c", label="production") == "1"
    assert [each.revision for each in db.instructions.rollback("production")] == [2, 2]


def test_roll_back_of_names_is_atomic_and_conditional(db: Client) -> None:
    for number in (1, 2):
        db.configurations.define("x", {"n": number})
        db.configurations.label("x", "production")
    db.configurations.define("y", {})
    db.configurations.label("y", "production")
    with pytest.raises(RevisionMissing, match=r"'y'.* was on no other revision"):
        db.configurations.rollback("production", ["x", "y"])
    with pytest.raises(RevisionConflict):
        db.configurations.rollback("production", ["x"], expected={"x": 1})
    assert db.configurations.load_raw("x", label="production") == {"n": 2}
    db.configurations.rollback("production", ["x"], expected={"x": 2})
    assert db.configurations.load_raw("x", label="production") == {"n": 1}
    with pytest.raises(RevisionMissing):
        db.configurations.rollback("staging")


def test_rename_is_conditional(db: Client) -> None:
    db.instructions.define("old", content="1")
    with pytest.raises(RevisionConflict, match="expected revision 2"):
        db.instructions.rename("old", "new", expected=2)
    assert db.instructions.rename("old", "new", expected=1).name == "new"


# --- All kinds together


def released(db: Client) -> dict[str, object]:
    return {
        "a": db.instructions.load("a", label="production"),
        "c": db.configurations.load_raw("c", label="production"),
    }


def test_prompts_and_configurations_are_promoted_and_rolled_back_together(db: Client) -> None:
    for number in (1, 2):
        db.release(
            prompts={"a": f"{number}", "other": f"{number}"},
            configurations={"c": {"n": number}},
            labels={"staging": ["a"]},
            configuration_labels={"staging": ["c"]},
        )
        moved = db.promote("staging", "production", author="ada", message="why")
        assert [(each.name, each.author) for each in moved.labels] == [("a", "ada")]
        assert [(each.name, each.message) for each in moved.configuration_labels] == [("c", "why")]
        assert (moved.prompts, moved.configurations, moved.template_labels) == ((), (), ())
    assert released(db) == {"a": "2", "c": {"n": 2}}
    rolled_back = db.rollback("production")
    assert [each.revision for each in rolled_back.labels] == [1]
    assert released(db) == {"a": "1", "c": {"n": 1}}
    db.rollback("production", {"configurations": None})
    assert released(db) == {"a": "1", "c": {"n": 2}}


@pytest.mark.parametrize("names", [None, ["a", "b"]])
def test_one_of_two_rollbacks_at_the_same_time_fails(
    db: Client, sql: psycopg.Connection, dsn: str, names: list[str] | None
) -> None:
    for text in ("good", "bad"):
        db.release(prompts={"a": text, "b": text}, labels={"production": ["a", "b"]})
    with Client(dsn) as one, Client(dsn) as two, ThreadPoolExecutor() as pool:
        with sql.transaction():
            sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('instructions/a', 0))")
            sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('instructions/b', 0))")
            calls = [
                pool.submit(each.instructions.rollback, "production", names) for each in (one, two)
            ]
            wait_for_lock_waiters(dsn, at_least=2)
        errors = [call.exception() for call in calls]
    assert [type(error) for error in errors if error] == [RevisionConflict]
    assert [db.instructions.load(name, label="production") for name in "ab"] == ["good", "good"]


def test_promotion_tells_moved_labels_from_those_that_were_there(db: Client) -> None:
    db.release(prompts={"a": "1", "b": "1"}, labels={"staging": ["a", "b"]})
    db.promote("staging", "production", {"prompts": ["a"]})
    moves = db.promote("staging", "production").labels
    assert [(each.name, each.changed) for each in moves] == [("a", False), ("b", True)]
    (again, _) = db.instructions.promote("staging", "production")
    assert (again, again.changed) == (moves[0], False)
    assert db.instructions.label("a", "production").changed is False
    assert re.search(r"^a +no\b.*\nb +yes\b", str(moves), re.MULTILINE)
    assert {each.changed for each in db.instructions.labels()} == {None}
    assert "changed" not in str(db.instructions.labels())


def test_only_the_newest_move_of_all_kinds_is_rolled_back(db: Client) -> None:
    for number in (1, 2):
        db.configurations.define("c", {"n": number})
        db.configurations.label("c", "production")
    for number in (1, 2):
        db.instructions.define("a", content=f"{number}")
        db.instructions.label("a", "production")
    db.rollback("production")
    assert released(db) == {"a": "1", "c": {"n": 2}}


def test_promotion_is_atomic_and_conditional(db: Client) -> None:
    db.release(
        prompts={"a": "1"},
        configurations={"c": {"n": 1}},
        labels={"staging": ["a"], "production": ["a"]},
        configuration_labels={"staging": ["c"], "production": ["c"]},
    )
    db.release(
        prompts={"a": "2"},
        configurations={"c": {"n": 2}},
        labels={"staging": ["a"]},
        configuration_labels={"staging": ["c"]},
    )
    with pytest.raises(RevisionConflict):
        db.promote("staging", "production", expected={"configurations": {"c": 2}})
    with pytest.raises(RevisionConflict):
        db.instructions.promote("staging", "production", expected={"a": 2})
    with pytest.raises(ValueError, match="expected names 'b'"):
        db.promote("staging", "production", expected={"prompts": {"b": 2}})
    with pytest.raises(ValueError, match="names has 'configs'; possible are prompts, templates"):
        db.promote("staging", "production", {"configs": ["c"]})
    with pytest.raises(RevisionMissing, match="no instructions or configuration has"):
        db.promote("canary", "production", {"prompts": None, "configurations": None})
    assert released(db) == {"a": "1", "c": {"n": 1}}
    db.promote("staging", "production", {"prompts": ["a"]}, expected={"prompts": {"a": 1}})
    assert released(db) == {"a": "2", "c": {"n": 1}}


# --- Templates that cannot be filled


def test_malformed_template_is_reported_when_defined_and_labelled(db: Client) -> None:
    malformed = 'Answer as JSON: {"a": 1}'
    with pytest.raises(TemplateInvalid, match="literal brace"):
        db.instructions.define("a", content=malformed, strict=True)
    assert db.instructions.history("a") == ()
    with pytest.warns(UserWarning, match="'a' .*literal brace"):
        db.instructions.define("a", content=malformed)
    with pytest.raises(TemplateInvalid, match="literal brace"):
        db.instructions.label("a", "production", strict=True)
    assert db.instructions.labels() == ()
    with pytest.warns(UserWarning, match="'a' .*literal brace"):
        db.instructions.label("a", "production")
    db.instructions.label("a", "production", strict=True)  # it is there already
    db.configurations.define("c", {"a": 1})
    db.configurations.label("c", "production", strict=True)


def test_roll_back_suggests_names_and_labels(db: Client) -> None:
    db.instructions.define("greeting", content="Hello")
    db.instructions.label("greeting", "production", 1)
    with pytest.raises(DocumentMissing, match="no instructions of that name; similar: 'greeting'"):
        db.instructions.rollback("production", ["greting"])
    with pytest.raises(RevisionMissing, match="no label 'prodution'; similar: 'production'"):
        db.instructions.rollback("prodution", ["greeting"])
    with pytest.raises(RevisionMissing, match="was on no other revision that exists"):
        db.instructions.rollback("production", ["greeting"])
