"""Filters of frames, failures, and frames that pandas, Arrow, Polars and DuckDB can use."""

from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import Client
from draive_pg.codec.failures import FAILURE_SQL, failed
from tests.elements import answered, asked, called, responded
from tests.frame_columns import COLUMNS

CONVERSATIONS = ("conversation_log", "tool_calls", "sessions", "variables")


@pytest.fixture
def dsn(templates_dsn: str) -> str:
    """Every frame needs its tables."""
    return templates_dsn


def fill(db: Client) -> None:
    db.memory("ada/1").remember(
        asked("Where is my bike?"),
        called("c"),
        responded("c", text='{"error": "no such bike"}'),
        answered("I cannot find it."),
        variables={"plan": "free"},
    )
    db.memory("ada/1").remember(variables={"plan": "paid", "turn": 2})
    db.memory("ada/2").remember(
        asked("Hello", lang="en"), called("d"), responded("d"), variables={"plan": "free"}
    )
    db.memory("bo/1").remember(called("e"), answered("Bye"), variables={})
    db.memory("bo/1").pop()
    db.annotations.add("bo/1", 0, name="helpful", score=1, tags=("x", "y"))
    db.instructions.define("greeting", content="Hi")
    db.instructions.label("greeting", "production")
    db.templates.define("greeting", content="Hi")
    db.configurations.define("limits", {"a": [1]})


def identifiers(frame: Any) -> list[str]:
    return sorted(set(frame["identifier"]))


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_memories_are_selected_by_prefix_and_newest_variables(db: Client, name: str) -> None:
    fill(db)
    read = getattr(db.frames, name)
    assert identifiers(read()) == ["ada/1", "ada/2", "bo/1"]
    assert identifiers(read(prefix="ada/")) == ["ada/1", "ada/2"]
    assert identifiers(read(prefix="a_a")) == []
    assert identifiers(read(variables={"plan": "free"})) == ["ada/2"]
    assert identifiers(read(variables={"plan": "paid"}, prefix="ada")) == ["ada/1"]
    assert identifiers(read("bo/1", variables={})) == ["bo/1"]


def test_elements_are_selected_by_speaker(db: Client) -> None:
    fill(db)
    log = db.frames.conversation_log()
    assert log["speaker"].tolist() == [
        *("user", "assistant", "tool", "assistant"),
        *("user", "assistant", "tool"),
        "assistant",
    ]
    for speaker in ("user", "assistant", "tool"):
        chosen = db.frames.conversation_log(speaker=speaker)
        pd.testing.assert_frame_equal(chosen, log[log["speaker"] == speaker].reset_index(drop=True))
        found = db.memories.search(speaker=speaker)
        assert len(found) == len(chosen)
        assert set(found["speaker"]) == {speaker}
    with pytest.raises(ValueError, match="speaker must be 'user' or 'assistant' or 'tool'"):
        db.frames.conversation_log(speaker="model")  # type: ignore[arg-type]  # pyright: ignore


def test_analysis_is_of_selected_memories(db: Client) -> None:
    fill(db)
    assert identifiers(db.analysis.turns(prefix="ada/")) == ["ada/1", "ada/2"]
    assert identifiers(db.analysis.turns(variables={"plan": "paid"})) == ["ada/1"]
    assert identifiers(db.analysis.unanswered(prefix="bo/")) == ["bo/1"]
    assert db.analysis.tools(prefix="ada/")["calls"].tolist() == [2]
    assert db.analysis.activity(prefix="bo/")["elements"].tolist() == [1]
    changed = db.analysis.variable_changes(variables={"plan": "free"})
    assert identifiers(changed) == ["ada/2"]
    turns = db.analysis.turns("ada/1")
    assert turns["question"].tolist() == ["Where is my bike?"]
    assert turns["answer"].tolist() == ["I cannot find it."]


def test_one_rule_decides_which_calls_failed(db: Client) -> None:
    fill(db)
    assert db.frames.tool_calls()["failed"].tolist() == [True, False, False]
    assert db.frames.sessions()["failures"].tolist() == [1, 0, 0]
    assert db.analysis.tools()["failures"].tolist() == [1]
    assert identifiers(db.memories.search(error=True)) == ["ada/1"]
    assert len(db.memories.search(error=False)) == 7
    assert "failed" in str(db.memory("ada/1").show())


RESPONSES = st.lists(
    st.sampled_from(
        ["error", "Error", "errors", "ERROR:", "{", '"error"', " ", "\n", "an", "{}", "_", "1"]
    ),
    max_size=4,
).map("".join)


@given(st.lists(st.tuples(st.sampled_from(["error", "response"]), RESPONSES), max_size=50))
def test_failures_are_the_same_in_sql_and_python(
    sql: psycopg.Connection, responses: list[tuple[str, str]]
) -> None:
    query = f"SELECT $1::TEXT = 'error' OR $2::TEXT ~* {FAILURE_SQL}"
    for response in responses:
        row = sql.execute(query.encode(), response).fetchone()
        assert row == (failed(*response),)


def test_sessions_have_first_question_and_newest_variables(db: Client) -> None:
    fill(db)
    sessions = db.frames.sessions()
    assert sessions["question"].fillna("none").tolist() == ["Where is my bike?", "Hello", "none"]
    assert sessions["variables"].tolist() == [{"plan": "paid", "turn": 2}, {"plan": "free"}, {}]


# --- pandas


@pytest.mark.parametrize("name", COLUMNS)
def test_frames_with_documents_as_text_survive_pandas(dsn: str, tmp_path: Path, name: str) -> None:
    with Client(dsn) as db:
        fill(db)
        read = getattr(db.frames, name)
        frame = read(documents="text") if name != "audit" else read()
    assert len(frame) > 0
    frame.to_parquet(tmp_path / "frame.parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "frame.parquet").map(
            lambda value: tuple(value) if hasattr(value, "tolist") else value
        ),
        frame,
        check_dtype=False,
    )
    assert len(frame.drop_duplicates()) == len(frame)
    assert (frame.nunique() >= 0).all()
    assert len(frame.merge(frame, on=list(frame))) == len(frame)
    assert len(
        pd.read_json(BytesIO(frame.to_json(orient="records", date_format="iso").encode()))
    ) == len(frame)
    assert len(pd.read_csv(BytesIO(frame.to_csv(index=False).encode()))) == len(frame)
    for column in frame:
        assert frame.groupby(column, dropna=False).size().sum() == len(frame)


def test_tools_and_labels_are_tuples_that_can_be_counted(db: Client) -> None:
    fill(db)
    assert dict(db.frames.conversation_log()["tools"].value_counts()) == {("find",): 5, (): 3}
    labels = db.frames.instruction_revisions()["labels"]
    assert labels.tolist() == [("production",)]
    assert labels.explode().tolist() == ["production"]


# --- Arrow, Polars, DuckDB


@pytest.mark.parametrize("name", COLUMNS)
def test_arrow_and_polars_have_the_values_of_pandas(db: Client, name: str) -> None:
    fill(db)
    read = getattr(db.frames, name)
    table, frame = read(backend="arrow"), read(backend="polars")
    assert isinstance(table, pa.Table)
    assert isinstance(frame, polars.DataFrame)
    wanted = (read(documents="text") if name != "audit" else read()).to_dict("records")
    wanted = [
        {
            key: list(value) if isinstance(value, tuple) else None if pd.isna(value) else value
            for key, value in row.items()
        }
        for row in wanted
    ]
    assert table.to_pylist() == wanted
    assert frame.to_dicts() == wanted
    assert table.column_names == list(COLUMNS[name])


def test_duckdb_queries_arrow_tables(db: Client) -> None:
    fill(db)
    log = db.frames.conversation_log(backend="arrow", columns=["identifier", "tools", "n_chars"])
    query = "SELECT tool, count(*)::INT FROM (SELECT unnest(tools) AS tool FROM log) GROUP BY tool"
    connection = duckdb.connect()
    connection.register("log", log)
    assert connection.execute(query).fetchall() == [("find", 5)]


def test_unknown_backend_and_documents_are_rejected(db: Client) -> None:
    with pytest.raises(ValueError, match="backend must be 'pandas' or 'arrow' or 'polars'"):
        db.frames.sessions(backend="spark")  # type: ignore[arg-type]  # pyright: ignore
    with pytest.raises(ValueError, match="documents must be 'objects' or 'text'"):
        db.frames.sessions(documents="json")  # type: ignore[arg-type]  # pyright: ignore
