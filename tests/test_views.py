"""Views of the frames: the same rows as the frames, and rights, schemas and commands."""

import json
from typing import Any

import psycopg
import pytest

from draive_pg import Client, OperationFailed, SchemaInvalid
from draive_pg.frames import FRAMES
from draive_pg.lines.line import LINE_118
from tests.cli_runner import Shell, assert_ok
from tests.conftest import Connect
from tests.elements import INSERT, answered, asked, called, responded
from tests.schema import set_up


@pytest.fixture
def filled(db: Client) -> Client:
    db.memory("m").remember(
        asked("a"), called("1"), responded("1"), answered("b", usage={"input_tokens": 3})
    )
    db.memory("m").remember(variables={"customer": "ada"})
    db.memory("n").remember(asked("c"))
    db.memory("n").replace(0, asked("d"), reason="typo")
    db.annotations.add("m", 3, name="helpful", score=0.5, tags=("x", "y"))
    db.annotations.add("m", name="resolved")
    db.instructions.define("greeting", content="Hi {name}", author="ada")
    db.instructions.define("greeting", content="Hello {name}")
    db.instructions.label("greeting", "production")
    db.configurations.define("limits", {"a": 1})
    return db


def comparable(rows: list[dict[Any, Any]]) -> list[dict[str, Any]]:
    """Return rows with lists for tuples and None for missing values."""
    return json.loads(json.dumps(rows, default=lambda value: value.isoformat()))


def test_views_have_the_rows_of_the_frames(filled: Client) -> None:
    names = filled.frames.create_views()
    assert set(names) == FRAMES.keys() - {"template_revisions"}
    for name in names:
        view = filled.sql(f"SELECT * FROM draive_pg.{name}")
        frame = getattr(filled.frames, name)()
        assert len(frame), name
        assert list(view.columns) == list(frame.columns), name
        seen, expected = (
            comparable(each.astype(object).where(each.notna(), None).to_dict("records"))
            for each in (view, frame)
        )
        assert seen == expected, name


@pytest.mark.parametrize("view", ["conversation_log", "tool_calls", "sessions"])
def test_conditions_on_identifiers_select_rows_of_tables(
    filled: Client, sql: psycopg.Connection, view: str
) -> None:
    filled.frames.create_views()
    filled.memory("large").maintenance()
    sql.execute(INSERT, ["large", 5000])
    sql.execute("ANALYZE memories_elements")
    query = f"EXPLAIN SELECT * FROM draive_pg.{view} WHERE identifier = 'm'"
    plan = "\n".join(row[0] for row in sql.execute(query.encode()).fetchall())
    assert "memories_elements_identifier_created" in plan


def test_views_are_replaced_and_dropped(filled: Client) -> None:
    assert filled.frames.create_views() == filled.frames.create_views()
    assert len(filled.frames.drop_views()) == len(FRAMES) - 1
    assert filled.frames.drop_views() == ()
    with pytest.raises(OperationFailed, match="does not exist"):
        filled.sql("SELECT * FROM draive_pg.sessions")


def test_views_of_other_tables_are_not_replaced(filled: Client, connect: Connect, dsn: str) -> None:
    filled.frames.create_views()
    other = connect(dsn, schema="other")
    other.setup()
    with pytest.raises(SchemaInvalid, match="'draive_pg' are of the tables in 'public': drop"):
        other.frames.create_views()
    with pytest.raises(ValueError, match="schema 'other' has the tables: name another one"):
        other.frames.create_views("other")
    assert "sessions" in other.frames.create_views('the "views"')
    assert len(other.sql('SELECT * FROM "the ""views""".sessions')) == 0


@pytest.mark.usefixtures("server_roles")
def test_views_give_no_access_to_the_tables(filled: Client, sql: psycopg.Connection) -> None:
    filled.frames.create_views()
    sql.execute("CREATE ROLE dpg_test_viewer LOGIN")
    sql.execute("GRANT USAGE ON SCHEMA draive_pg TO dpg_test_viewer")
    sql.execute("GRANT SELECT ON ALL TABLES IN SCHEMA draive_pg TO dpg_test_viewer")
    sql.execute("SET ROLE dpg_test_viewer")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="memories"):
        sql.execute("SELECT * FROM draive_pg.sessions")


def test_views_of_turns_have_the_rows_of_the_frames(connect: Connect, empty_dsn: str) -> None:
    set_up(empty_dsn, LINE_118)
    db = connect(empty_dsn)
    db.memories.import_chat("m", [{"role": "user", "content": "a"}])
    names = db.frames.create_views()
    assert "template_revisions" in names
    assert "instruction_revisions" not in names
    assert db.sql("SELECT text FROM draive_pg.conversation_log")["text"].tolist() == ["a"]


def test_command_creates_and_drops_views(
    shell: Shell, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAIVE_PG_DSN", dsn)
    created = shell("views", "create", "--views", "reports")
    assert_ok(created)
    assert "reports.conversation_log" in created.out.splitlines()
    assert "Dropped reports.sessions" in shell("views", "drop", "--views", "reports").out


def test_diagnosis_reports_views_and_what_to_do_about_old_ones(
    filled: Client, sql: psycopg.Connection
) -> None:
    assert filled.diagnose().views == ()
    names = filled.frames.create_views()
    found = filled.diagnose()
    assert {(each.schema, each.name, each.state) for each in found.views} == {
        ("draive_pg", name, "current") for name in names
    }
    assert found.problems == ()
    sql.execute("DROP VIEW draive_pg.sessions")
    sql.execute("ALTER VIEW draive_pg.audit RENAME COLUMN author TO writer")
    found = filled.diagnose()
    states = {each.name: each.state for each in found.views if each.state != "current"}
    assert states == {"audit": "stale", "sessions": "missing"}
    (problem,) = found.problems
    assert problem == (
        "views in schema 'draive_pg': sessions is missing, audit is stale: run "
        "draive-pg views create, or frames.create_views; if PostgreSQL refuses, drop them first"
    )
