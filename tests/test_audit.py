"""The audit of definitions, label moves and removals, and restoring removed revisions."""

import hashlib
from typing import Any

import psycopg
import pytest
from draive import InstructionsDeclaration, InstructionsRepository
from psycopg.sql import SQL, Identifier

from draive_pg import Client, RevisionMissing
from draive_pg.adapters import PostgresInstructionsRepository
from tests.conftest import Connect
from tests.draive_scope import InScope
from tests.elements import asked
from tests.test_versioned_documents import DUMP, run_sql


def actions(db: Client, name: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return the audited actions of a document, in order."""
    audit = db.frames.audit(name)
    assert audit["time"].is_monotonic_increasing
    audit = audit.astype(object).where(audit.notna(), None)
    return list(audit[["action", *columns]].itertuples(index=False, name=None))


@pytest.mark.parametrize("kind", ["instructions", "configurations"])
def test_audit_has_every_definition_move_and_removal(
    db: Client, sql: psycopg.Connection, kind: str
) -> None:
    documents: Any = getattr(db, kind)
    name = "greeting"

    def define(text: str, **note: Any) -> None:
        if kind == "instructions":
            db.instructions.define(name, content=text, **note)
        else:
            db.configurations.define(name, {"text": text}, **note)

    define("one", author="ada", message="first")
    define("two")
    documents.label(name, "production", 1, author="bob", message="reviewed")
    documents.unlabel(name, "production", author="cy")
    documents.remove(name, revision=1, author="dan", message="wrong")
    sql.execute(SQL("DELETE FROM {}").format(Identifier(kind)).as_bytes())
    assert actions(db, name, "revision", "label", "author", "message") == [
        ("define", 1, None, "ada", "first"),
        ("define", 2, None, None, None),
        ("label", 1, "production", "bob", "reviewed"),
        ("unlabel", 0, "production", "cy", None),
        ("remove", 1, None, "dan", "wrong"),
        ("remove", 2, None, None, None),
    ]
    audit = db.frames.audit(name)
    assert {*audit["kind"]} == {kind}
    content = "one" if kind == "instructions" else '{"text": "one"}'
    digest = hashlib.sha256(content.encode()).hexdigest()
    assert list(audit["digest"][[0, 4]]) == [digest, digest]
    assert audit["revision_created"][0] == audit["time"][0] == audit["revision_created"][4]
    assert list(audit["role"].dropna()) == [sql.info.user] * 2
    assert len(db.frames.audit(since=audit["time"][4])) == 2
    assert len(db.frames.audit("other")) == 0


def test_author_of_a_removal_is_not_that_of_a_later_one_in_the_same_transaction(
    db: Client,
) -> None:
    for name in ("a", "b"):
        db.instructions.define(name, content="x")
    with db.transaction():
        db.instructions.remove("a", author="ada", message="old")
        db.instructions.remove("b")
    assert actions(db, "a", "author")[-1] == ("remove", "ada")
    assert actions(db, "b", "author")[-1] == ("remove", None)


def test_renamed_document_is_audited_under_both_names(db: Client) -> None:
    db.instructions.define("old", content="x", author="ada")
    db.instructions.rename("old", "new")
    assert actions(db, "old", "author", "message") == [
        ("define", "ada", None),
        ("remove", None, "renamed to 'new'"),
    ]
    assert actions(db, "new", "author") == [("define", "ada")]


def test_truncate_is_audited(db: Client, sql: psycopg.Connection) -> None:
    db.instructions.define("a", content="x", author="ada")
    db.configurations.define("b", {})
    sql.execute("TRUNCATE instructions, configurations CASCADE")
    assert actions(db, "a", "author") == [("define", "ada"), ("remove", None)]
    assert actions(db, "b") == [("define",), ("remove",)]


def test_removals_by_draive_are_audited(in_scope: InScope, dsn: str) -> None:
    with Client(dsn) as db:
        db.instructions.define("a", content="x")

        async def body() -> None:
            await InstructionsRepository.remove(InstructionsDeclaration.of("a"))

        in_scope(body(), PostgresInstructionsRepository())
        assert actions(db, "a") == [("define",), ("remove",)]


def test_label_history_of_all_names(db: Client) -> None:
    for name in ("a", "b"):
        db.instructions.define(name, content="x")
        db.instructions.label(name, "production")
    db.instructions.label("a", "staging")
    assert [(each.name, each.label) for each in db.instructions.label_history()] == [
        ("a", "staging"),
        ("b", "production"),
        ("a", "production"),
    ]
    moved = db.instructions.label_history(label="production")
    assert [(each.name, each.revision) for each in moved] == [("b", 1), ("a", 1)]


def test_removed_revision_can_be_restored_if_its_content_was_kept(
    connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    db = connect(f"{dsn} options='-c draive_pg.keep_removed=on'")
    db.instructions.define("a", content="one")
    db.configurations.define("a", {"n": 1.0})
    db.instructions.define("a", content="two")
    created = db.instructions.revision("a", 1).created
    db.instructions.remove("a", revision=1)
    db.configurations.remove("a")
    assert db.instructions.restore("a", 1, message="back").content == "one"
    assert db.instructions.revision("a").revision == 3
    assert db.configurations.restore("a", 1).content == {"n": 1.0}
    db.instructions.define("a", content="four")
    gone = db.instructions.history("a")[1]
    db.instructions.remove("a", revision=gone)
    assert db.instructions.restore("a", gone).content == "one"
    assert created < db.instructions.revision("a").created
    sql.execute("UPDATE draive_pg_removed SET content = NULL")  # erased
    with pytest.raises(RevisionMissing):
        db.instructions.restore("a", 1)


def test_content_of_removed_revisions_is_not_kept_by_default(db: Client) -> None:
    db.instructions.define("a", content="one")
    db.instructions.define("a", content="two")
    db.instructions.remove("a", revision=1)
    with pytest.raises(RevisionMissing):
        db.instructions.restore("a", 1)


def test_live_instructions_by_label(db: Client) -> None:
    memory = db.memory("m")

    def write(text: str) -> None:
        memory.remember(asked(text))

    write("before")
    db.instructions.define("greeting", content="one")
    db.instructions.define("greeting", content="two")
    write("unlabelled")
    db.instructions.label("greeting", "production", 1)
    write("one")
    db.instructions.label("greeting", "staging")
    db.instructions.label("greeting", "production", 2)
    write("two")
    db.instructions.unlabel("greeting", "production")
    write("none")
    db.instructions.label("greeting", "production", 2)
    db.instructions.remove("greeting", labelled=True)
    write("removed")
    live = db.analysis.live_instructions("greeting", label="production")
    assert live["revision"].fillna(0).tolist() == [0, 0, 1, 2, 0, 0]
    assert len(db.analysis.live_instructions(label="other")) == 0
    assert len(db.analysis.live_configurations(label="production")) == 0
    moved = db.instructions.label_history("greeting", "production")
    assert live["since"][2] == moved[-1].moved


def test_audit_of_a_database_of_version_0_1_0(connect: Connect, empty_dsn: str) -> None:
    run_sql(empty_dsn, DUMP.read_text(encoding="utf-8"))
    db = connect(empty_dsn)
    before = db.frames.audit()
    assert {*before["action"]} >= {"define", "label"}
    db.setup()
    db.instructions.remove("greeting", labelled=True)
    assert len(db.frames.audit()) == len(before) + len(
        db.frames.audit("greeting").query("action == 'remove'")
    )
