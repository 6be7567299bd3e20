"""Rolling back a label, for both kinds and both clients."""

import pytest

from draive_pg import Client, RevisionConflict, RevisionMissing


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
