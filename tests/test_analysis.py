"""Analysis of conversations, compared with plain loops."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

import draive_pg
from draive_pg import Client, analysis
from draive_pg.api.analysis import Analysis
from draive_pg.samples import month
from tests.conftest import Connect
from tests.docstrings import documented, dtypes
from tests.elements import answered, asked, called, responded, space_times

PACKAGE = Path(draive_pg.__file__).parent
START = datetime(2026, 3, 27, 22, 0, tzinfo=UTC)  # two days before clocks in Europe change

LOG = {
    "identifier": "str",
    "position": "int64",
    "created": "datetime64[us, UTC]",
    "role": "str",
    "text": "str",
    "tools": "object",
    "tool_requests": "int64",
    "tool_responses": "int64",
    "n_chars": "int64",
}
CALLS = {
    "identifier": "str",
    "position": "int64",
    "created": "datetime64[us, UTC]",
    "call": "str",
    "tool": "str",
    "arguments": "object",
    "response": "str",
    "handling": "str",
    "responded": "datetime64[us, UTC]",
    "seconds": "float64",
}

# Kinds of elements by letter: question, answer, call, result of a call.
ELEMENTS = {
    "q": ("input", "how much?", [], 0, 0),
    "a": ("output", "three", [], 0, 0),
    "c": ("output", "", ["find"], 1, 0),
    "r": ("input", "", ["find"], 0, 1),
}


def log(**memories: str) -> pd.DataFrame:
    """Return the log of memories given as letters of `ELEMENTS`, one second apart."""
    rows = [
        (
            name,
            position,
            START + timedelta(seconds=position),
            *ELEMENTS[letter],
            len(ELEMENTS[letter][1]),
        )
        for name, letters in memories.items()
        for position, letter in enumerate(letters)
    ]
    return pd.DataFrame(rows, columns=list(LOG)).astype(LOG)


def calls(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return tool calls, with defaults for missing fields."""
    usual = {
        "identifier": "m",
        "position": 1,
        "created": START,
        "call": "c",
        "tool": "find",
        "arguments": {"x": 1},
        "response": "found",
        "handling": "response",
        "responded": START,
        "seconds": 1.0,
    }
    made = [{**usual, "position": number, **row} for number, row in enumerate(rows)]
    return pd.DataFrame(made, columns=list(CALLS)).astype(CALLS)


# --- Turns


def test_turn_lasts_until_next_question() -> None:
    found = analysis.turns(log(m="aqcrcraqqa"))
    assert found["position"].tolist() == [1, 7, 8]
    assert found["turn"].tolist() == [0, 1, 2]
    assert found["elements"].tolist() == [6, 1, 2]
    assert found["tool_calls"].tolist() == [2, 0, 0]
    assert found["seconds"].fillna(-1).tolist() == [5.0, -1.0, 1.0]
    assert found["asked"].iloc[0] == START + timedelta(seconds=1)
    assert found["answered"].isna().tolist() == [False, True, False]
    assert found["question_chars"].tolist() == [9, 9, 9]
    assert found["answer_chars"].tolist() == [5, 0, 5]


def test_turn_has_texts_of_question_and_answers() -> None:
    asked = log(m="qcraaq").assign(text=["Hi", "", "found", "Well,", "hello", "Why?"])
    found = analysis.turns(asked)
    assert found["question"].tolist() == ["Hi", "Why?"]
    assert found["answer"].fillna("none").tolist() == ["Well,\nhello", "none"]
    without_text = analysis.turns(asked.drop(columns="text"))
    assert without_text[["question", "answer"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(
        without_text.drop(columns=["question", "answer"]),
        found.drop(columns=["question", "answer"]),
    )


def count_turns(letters: str) -> Iterator[tuple[int, int, int]]:
    starts = [index for index, letter in enumerate(letters) if letter == "q"]
    for start, end in pairwise([*starts, len(letters)]):
        yield start, end - start, letters[start:end].count("c")


memories = st.dictionaries(st.sampled_from("xyz"), st.text("qacr", min_size=1, max_size=12))


@given(memories)
def test_turns_equal_those_of_plain_loop(memories: dict[str, str]) -> None:
    found = analysis.turns(log(**memories).sample(frac=1, random_state=1))
    assert [
        (row.identifier, row.position, row.elements, row.tool_calls) for row in found.itertuples()
    ] == [(name, *turn) for name in sorted(memories) for turn in count_turns(memories[name])]


# --- Usage


def test_usage_sums_tokens_and_cost_by_model() -> None:
    metas: list[dict[str, Any]] = [
        {"model": "small", "usage": {"prompt_tokens": 1000, "completion_tokens": 10}},
        {"model": "small", "usage": {"input_tokens": 500, "output_tokens": 20}},
        {"model": "large", "usage": {"promptTokenCount": 7}},
        {"usage": {"total_tokens": 9}},
        {},
    ]
    texts = ["", "", "", "two words", "three more words"]
    counted = log(m="qaqaa").assign(meta=pd.Series(metas), text=texts)
    found = analysis.usage(counted, prices={"small": (2.0, 100.0)})
    assert found["model"].tolist() == ["small", "large"]
    assert found["elements"].tolist() == [2, 1]
    assert found["input_tokens"].tolist() == [1500, 7]
    assert found["output_tokens"].tolist() == [30, 0]
    assert found["cost"].fillna(-1).tolist() == [0.006, -1]
    by_tokenizer = analysis.usage(counted, count_tokens=lambda text: len(text.split()))
    assert by_tokenizer["model"].isna().sum() == 1
    assert by_tokenizer["output_tokens"].sum() == 35


def test_usage_without_any_tokens_warns() -> None:
    with pytest.warns(UserWarning, match="no element has a usage in its meta"):
        assert len(analysis.usage(log(m="qa").assign(meta=None))) == 0


def test_counted_input_is_of_the_model_that_answers_it() -> None:
    metas: list[dict[str, Any]] = [
        {},
        {},
        {"model": "small"},
        {},
        {"model": "large", "usage": {"input_tokens": 50, "output_tokens": 5}},
        {},
        {"model": "large", "usage": {"output_tokens": 4}},
        {},
    ]
    elements = log(m="qqaqaqaq").assign(meta=pd.Series(metas), text="two words")
    found = analysis.usage(elements, {"small": (1.0, 1.0)}, lambda text: len(text.split()))
    assert found.astype(object).where(found.notna(), None).values.tolist() == [
        ["large", 1, 3, 52, 9, None],  # the usage of its first answer includes the question
        ["small", 1, 3, 4, 2, 6e-6],
        [None, 1, 1, 2, 0, None],  # not answered
    ]


class Words:
    """A tokenizer that splits at white space."""

    def encode(self, text: str) -> list[str]:
        return text.split()


def test_tokens_of_elements_are_reported_or_counted() -> None:
    metas: list[dict[str, Any]] = [
        {"usage": {"input_tokens": 500, "output_tokens": 20}},
        {"usage": {"prompt_tokens": 1000, "completion_tokens": 10}},
        {"usage": {"input_tokens": 7}},
    ]
    elements = log(m="qaa").assign(meta=pd.Series(metas), text=["a b", "c", "d e f"])
    elements.index = pd.Index([5, 6, 7])
    assert analysis.n_tokens(elements).fillna(-1).to_dict() == {5: -1, 6: 10, 7: -1}
    for tokenizer in (Words(), lambda text: len(text.split())):
        found = analysis.n_tokens(elements, tokenizer)
        assert (found.to_dict(), str(found.dtype)) == ({5: 2, 6: 10, 7: 3}, "Int64")
        assert analysis.usage(elements, count_tokens=tokenizer)["elements"].sum() == 3
    with pytest.raises(TypeError, match=r"a function or an object with encode\(text\), not str"):
        analysis.n_tokens(elements, "o200k")  # pyright: ignore[reportArgumentType]


# --- Unanswered conversations


@given(memories)
def test_unanswered_conversations_do_not_end_with_model_answer(
    memories: dict[str, str],
) -> None:
    found = analysis.unanswered(log(**memories))
    ends = {"q": "question", "c": "tool request", "r": "tool response"}
    assert dict(zip(found["identifier"], found["ended"], strict=True)) == {
        name: ends[letters[-1]] for name, letters in memories.items() if letters[-1] != "a"
    }
    assert found["position"].tolist() == [len(memories[name]) - 1 for name in found["identifier"]]


# --- Activity


def test_activity_includes_empty_periods() -> None:
    early, late = log(m="qcra"), log(n="qa")
    late["created"] += timedelta(hours=3)
    found = analysis.activity(pd.concat([late, early]), by="hour")
    assert found["start"].tolist() == [START + timedelta(hours=hour) for hour in range(4)]
    assert found["hour"].tolist() == [22, 23, 0, 1]
    assert found["weekday"].tolist() == [4, 4, 5, 5]
    assert found["memories"].tolist() == [1, 0, 0, 1]
    assert found["turns"].tolist() == [1, 0, 0, 1]
    assert found["elements"].tolist() == [4, 0, 0, 2]
    assert found["tool_calls"].tolist() == [1, 0, 0, 0]


def test_activity_of_a_wrong_time_is_refused_before_it_takes_all_memory(db: Client) -> None:
    talk = [
        {"role": "user", "content": "q", "created_at": f"{year}-05-01"} for year in (2026, 9998)
    ]
    db.memories.import_chats([{"id": "m", "messages": talk}])
    with pytest.raises(
        ValueError, match=r"\d+,\d+,\d+ periods from 2026-05-01 00:00 to 9998-05-01"
    ):
        db.analysis.activity("hour")
    assert len(db.analysis.activity("hour", until="2027-01-01")) == 1


def test_activity_days_start_at_midnight_in_timezone() -> None:
    found = analysis.activity(log(m="qa"), timezone="Europe/Warsaw")
    assert [str(start) for start in found["start"]] == ["2026-03-27 00:00:00+01:00"]
    found = analysis.activity(log(m="qa"), timezone="Asia/Tokyo")
    assert [str(start) for start in found["start"]] == ["2026-03-28 00:00:00+09:00"]


def test_activity_days_span_daylight_saving_changes() -> None:
    whole = log(m="qaqaqa")
    whole["created"] = [START + timedelta(days=day) for day in range(6)]
    found = analysis.activity(whole, timezone="Europe/Warsaw")
    assert found["hour"].tolist() == [0] * 7
    assert found["elements"].tolist() == [1, 1, 0, 1, 1, 1, 1]  # at eleven, then at midnight
    hourly = analysis.activity(whole, by="hour", timezone="Europe/Warsaw")
    assert hourly["elements"].sum() == 6
    assert hourly["start"].is_monotonic_increasing


@pytest.mark.parametrize(("by", "start"), [("week", "2026-03-23"), ("month", "2026-03-01")])
def test_activity_weeks_start_on_monday_and_months_on_first_day(by: Any, start: str) -> None:
    found = analysis.activity(log(m="qa"), by=by)
    assert [f"{first:%Y-%m-%d}" for first in found["start"]] == [start]


def test_unknown_period_or_timezone_is_rejected() -> None:
    with pytest.raises(ValueError, match="by must be one of hour, day, week, month, not 'year'"):
        analysis.activity(log(m="qa"), by="year")  # pyright: ignore[reportArgumentType]
    with pytest.raises(Exception, match="Nowhere"):
        analysis.activity(log(m="qa"), timezone="Europe/Nowhere")


# --- Tools


def test_tool_failures_are_counted_among_answered_calls() -> None:
    found = analysis.tools(
        calls(
            {"response": "found"},
            {"response": ' {"error": "timeout"}'},
            {"response": "Error: no such thing", "seconds": 21.0},
            {"response": "no errors", "handling": "error"},
            {"response": None, "handling": None, "responded": None, "seconds": None},
            {"tool": "count", "response": "errors: 0"},
            {"tool": "never", "response": None, "responded": None, "seconds": None},
        )
    ).set_index("tool")
    assert found.index.tolist() == ["find", "count", "never"]
    assert found["calls"].tolist() == [5, 1, 1]
    assert found["answered"].tolist() == [4, 1, 0]
    assert found["failures"].tolist() == [3, 0, 0]
    assert found.loc["find", "failure_rate"] == 0.75
    assert found["failure_rate"].isna()["never"]
    assert found.loc["find", "seconds_median"] == 1.0
    assert found.loc["find", "seconds_p95"] == pytest.approx(18.0)
    assert analysis.tools(calls({"response": "oops"}), failure="oops")["failures"].tolist() == [1]


def test_repeated_calls_have_equal_arguments_in_one_memory() -> None:
    same = {"arguments": {"x": 1, "y": [1, 2]}}
    frame = calls(
        same,
        {"arguments": {"y": [1, 2], "x": 1}},
        {"arguments": {"x": 1, "y": [2, 1]}},
        {**same, "tool": "count"},
        {**same, "identifier": "n"},
        same,
    )
    found = analysis.repeated_calls(frame)
    assert found.to_dict("records") == [
        {"identifier": "m", "tool": "find", **same, "times": 3, "first": 0, "last": 5}
    ]
    assert analysis.tools(frame).set_index("tool")["repeated"].to_dict() == {"find": 2, "count": 0}


# --- Variables and live revisions


def test_variable_changes_compare_consecutive_snapshots() -> None:
    snapshots = [
        ("m", {"a": 1, "b": None}),
        ("m", {"a": 1, "b": None, "c": [1]}),
        ("m", {"a": 2, "c": [1]}),
        ("n", {"a": 2}),
        ("n", "no object"),
    ]
    frame = pd.DataFrame(
        [(name, START + timedelta(seconds=n), value) for n, (name, value) in enumerate(snapshots)],
        columns=["identifier", "created", "variables"],
    )
    found = analysis.variable_changes(frame)
    assert [tuple(row)[:1] + tuple(row)[2:] for row in found.itertuples(index=False)] == [
        ("m", "a", None, 1),
        ("m", "b", None, None),
        ("m", "c", None, [1]),
        ("m", "a", 1, 2),
        ("m", "b", None, None),
        ("n", "a", None, 2),
        ("n", "a", 2, None),
    ]


def test_variable_changes_distinguish_json_types() -> None:
    values = [
        1,
        True,
        1.0,
        1.0,
        [1],
        [True],
        {"a": 1, "b": 0},
        {"b": 0, "a": 1},
        {"a": 1.0, "b": 0},
    ]
    frame = pd.DataFrame(
        {"identifier": "m", "created": START, "variables": [{"x": value} for value in values]}
    )
    after = analysis.variable_changes(frame)["after"].tolist()
    assert [repr(value) for value in after] == [
        *("1", "True", "1.0", "[1]", "[True]", "{'a': 1, 'b': 0}", "{'a': 1.0, 'b': 0}")
    ]


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "parquet": pd.read_parquet,
    "csv": pd.read_csv,
    "jsonl": partial(pd.read_json, lines=True),
}


@pytest.mark.parametrize("suffix", READERS)
def test_analysis_of_exported_file_equals_analysis_of_tables(
    db: Client, tmp_path: Path, suffix: str
) -> None:
    db.memory("m").remember(asked("q"), called("c", x=1), called("c", x=1), variables={"a": 1})
    db.memory("m").remember(variables={"a": 2, "b": None})
    db.memory("n").remember(asked("7"), answered("eight"))
    db.instructions.define("greeting", content="Hi")
    frames: dict[str, pd.DataFrame] = {}
    for name in ("conversation_log", "tool_calls", "variables", "instruction_revisions"):
        path = tmp_path / f"{name}.{suffix}"
        db.frames.export(name, path)
        frames[name] = READERS[suffix](path)
    log, calls = frames["conversation_log"], frames["tool_calls"]
    for computed, expected in (
        (analysis.turns(log), db.analysis.turns()),
        (analysis.unanswered(log), db.analysis.unanswered()),
        (analysis.activity(log, "hour"), db.analysis.activity("hour")),
        (analysis.tools(calls), db.analysis.tools()),
        (analysis.repeated_calls(calls), db.analysis.repeated_calls()),
        (analysis.variable_changes(frames["variables"]), db.analysis.variable_changes()),
        (
            analysis.live_revisions(log, frames["instruction_revisions"]),
            db.analysis.live_instructions(),
        ),
    ):
        assert len(expected) > 0
        pd.testing.assert_frame_equal(computed, expected)


def test_parquet_written_by_pandas_is_read_with_lists(tmp_path: Path) -> None:
    def written(frame: pd.DataFrame) -> pd.DataFrame:
        path = tmp_path / "frame.parquet"
        frame.to_parquet(path)
        return pd.read_parquet(path)

    arguments: list[dict[str, Any]] = [
        {"ids": [1, 2], "deep": [{"x": []}]},
        {"ids": [2, 1], "deep": [{"x": []}]},
    ]
    asked = calls(*({"arguments": each} for each in (*arguments, arguments[0])))
    pd.testing.assert_frame_equal(
        analysis.repeated_calls(written(asked)), analysis.repeated_calls(asked)
    )
    pd.testing.assert_frame_equal(analysis.tools(written(asked)), analysis.tools(asked))
    variables = pd.DataFrame({"identifier": "m", "created": START, "variables": arguments})
    pd.testing.assert_frame_equal(
        analysis.variable_changes(written(variables)), analysis.variable_changes(variables)
    )
    pd.testing.assert_frame_equal(
        analysis.unanswered(written(log(m="qc"))), analysis.unanswered(log(m="qc"))
    )


def test_missing_column_is_named_in_error() -> None:
    with pytest.raises(ValueError, match="no column 'role'; take identifier, position, created"):
        analysis.turns(log(m="qa").drop(columns="role"))


def test_identifier_that_csv_lost_is_named_in_error(db: Client, tmp_path: Path) -> None:
    for name in ("NA", "007"):
        db.memory(name).remember(asked("null"), answered("None"))
    path = tmp_path / "log.csv"
    db.frames.export("conversation_log", path)
    with pytest.raises(ValueError, match=r"a row has no identifier: .*keep_default_na=False"):
        analysis.turns(pd.read_csv(path))
    exact = pd.read_csv(path, dtype={"identifier": "str", "text": "str"}, keep_default_na=False)
    pd.testing.assert_frame_equal(analysis.turns(exact), db.analysis.turns())


def test_abandoned_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match=r"write unanswered\(\)"):
        found = analysis.abandoned(log(m="q"))  # pyright: ignore[reportDeprecated]
    assert found["ended"].tolist() == ["question"]


@given(
    st.lists(st.integers(-2, 8), min_size=1, max_size=5, unique=True).map(sorted),
    st.text("qa", min_size=1, max_size=6),
)
def test_live_revision_is_newest_at_time_of_element(times: list[int], letters: str) -> None:
    revisions = pd.DataFrame(
        {
            "name": "greeting",
            "revision": range(1, len(times) + 1),
            "created": [START + timedelta(seconds=time) for time in times],
        }
    ).astype({"created": "datetime64[us, UTC]"})
    found = analysis.live_revisions(log(m=letters), revisions)
    assert found["revision"].fillna(0).tolist() == [
        sum(time <= position for time in times) for position in range(len(letters))
    ]
    assert set(found["name"]) == {"greeting"}
    configurations = revisions.rename(columns={"name": "identifier"})
    pd.testing.assert_frame_equal(analysis.live_revisions(log(m=letters), configurations), found)


def test_live_revisions_are_per_name() -> None:
    revisions = pd.DataFrame(
        {"name": ["b", "a"], "revision": [1, 1], "created": [START, START + timedelta(seconds=1)]}
    ).astype({"created": "datetime64[us, UTC]"})
    found = analysis.live_revisions(log(m="qa"), revisions)
    assert list(zip(found["name"], found["revision"].fillna(0), strict=True)) == [
        ("a", 0),
        ("a", 1),
        ("b", 1),
        ("b", 1),
    ]


# --- Through the clients


def fill_dated(db: Client, sql: psycopg.Connection) -> None:
    """Write two memories with elements one second apart, and prompts between them."""
    for name in ("m", "n"):
        db.memory(name).remember(
            asked("q"), called("c"), responded("c"), answered("abc"), asked("r")
        )
        db.memory(name).remember(variables={"mood": "glad"})
    for content in ("one", "two"):
        db.instructions.define("greeting", content=content)
        db.configurations.define("limits", {"a": content})
    space_times(sql, datetime(2026, 3, 1, tzinfo=UTC))
    for table in ("instructions", "configurations"):
        sql.execute(
            f"UPDATE {table} SET created = CASE WHEN content::TEXT LIKE '%one%' "
            "THEN TIMESTAMPTZ '2026-02-28Z' ELSE TIMESTAMPTZ '2026-03-01 00:00:03Z' END".encode()
        )


def test_client_analysis_of_tables(db: Client, sql: psycopg.Connection) -> None:
    fill_dated(db, sql)
    first = datetime(2026, 3, 1, tzinfo=UTC)
    turns = db.analysis.turns()
    assert turns["identifier"].tolist() == ["m", "m", "n", "n"]
    assert turns["seconds"].fillna(-1).tolist() == [3.0, -1.0, 3.0, -1.0]
    assert turns["tool_calls"].tolist() == [1, 0, 1, 0]
    assert turns["answer_chars"].tolist() == [3, 0, 3, 0]
    assert db.analysis.unanswered("n")["ended"].tolist() == ["question"]
    with pytest.warns(DeprecationWarning, match=r"write unanswered\(\)") as warned:
        found = db.analysis.abandoned("n")  # pyright: ignore[reportDeprecated]
    assert found.equals(db.analysis.unanswered("n"))
    assert not Path(warned[0].filename).is_relative_to(PACKAGE)
    activity = db.analysis.activity("hour", timezone="Europe/Warsaw")
    assert activity["elements"].tolist() == [10]
    assert activity["hour"].tolist() == [1]
    tools = db.analysis.tools(failure="found")
    assert tools[["calls", "memories", "failures"]].to_numpy().tolist() == [[2, 2, 2]]
    assert db.analysis.tools()["failures"].tolist() == [0]
    assert len(db.analysis.repeated_calls()) == 0
    assert db.analysis.repeated_calls().dtypes["times"] == "int64"
    changes = db.analysis.variable_changes("m")
    assert changes[["variable", "before", "after"]].to_numpy().tolist() == [["mood", None, "glad"]]
    live = db.analysis.live_instructions("greeting", identifier="m")
    assert live["revision"].tolist() == [1, 1, 1, 2, 2]
    assert live["since"].iloc[0] == first - timedelta(days=1)
    configurations = db.analysis.live_configurations("limits", identifier="m")
    assert configurations["revision"].tolist() == [1, 1, 1, 2, 2]


def test_since_and_until_limit_analysis(db: Client, sql: psycopg.Connection) -> None:
    fill_dated(db, sql)
    fourth = datetime(2026, 3, 1, 0, 0, 4, tzinfo=UTC)  # when the second question of m was asked
    assert db.analysis.turns("m", since=fourth)["turn"].tolist() == [1]
    assert db.analysis.turns("m", until=fourth)["elements"].tolist() == [4]  # whole
    assert db.analysis.unanswered(until=fourth)["identifier"].tolist() == []
    assert db.analysis.unanswered(since=fourth)["identifier"].tolist() == ["m", "n"]
    assert db.analysis.activity(since=fourth)["elements"].tolist() == [6]
    assert db.analysis.tools(since=fourth)["calls"].tolist() == [1]
    assert len(db.analysis.variable_changes(until=fourth)) == 0
    assert len(db.analysis.live_instructions(until=fourth)) == 4


@pytest.mark.parametrize(
    "name",
    [
        *("turns", "unanswered", "activity", "tools", "repeated_calls", "usage"),
        *("variable_changes", "live_instructions", "live_configurations"),
    ],
)
def test_columns_and_dtypes_match_docstring(db: Client, sql: psycopg.Connection, name: str) -> None:
    call = getattr(db.analysis, name)
    assert len(call()) == 0
    assert dtypes(call()) == documented(getattr(Analysis, name))
    fill_dated(db, sql)
    db.memory("m").remember(called("d", x=1), called("e", x=1))
    db.memory("m").remember(answered("a", model="small", usage={"output_tokens": 1}))
    assert len(call()) > 0
    assert dtypes(call()) == documented(getattr(Analysis, name))


def test_invalid_arguments_are_rejected_before_io(connect: Connect) -> None:
    db = connect("host=127.0.0.1 port=1")  # no server listens here
    with pytest.raises(ValueError, match="since must be a time"):
        db.analysis.turns(since="yesterday")
    with pytest.raises(ValueError, match="by must be one of"):
        db.analysis.activity("year")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="timezone must be a name"):
        db.analysis.activity(timezone="Europe/Nowhere")
    with pytest.raises(ValueError, match="failure is no regular expression"):
        db.analysis.tools(failure="(")


def test_loading_sample_month_is_idempotent(dsn: str) -> None:
    with Client(dsn) as db:
        month.load(db)
        sessions = db.frames.sessions()
        assert len(sessions) == len(list(month.conversations())) > 400
        assert sessions["elements"].sum() > 4000
        month.load(db)
        pd.testing.assert_frame_equal(db.frames.sessions(), sessions)
        assert len(db.instructions.history("support")) == len(month.PROMPTS)
        live = db.analysis.live_instructions("support")
        assert set(live["revision"]) == {1, 2, 3, 4}


# --- Empty input


def test_empty_input_has_same_columns_and_dtypes() -> None:
    whole, requests = log(m="qcra"), calls({}, {})
    snapshots = pd.DataFrame(
        {"identifier": "m", "created": whole["created"], "variables": [{}] * 4}
    )
    revisions = pd.DataFrame({"name": ["a"], "revision": [1], "created": whole["created"][:1]})
    for one, other in [
        (analysis.turns(whole), analysis.turns(whole[:0])),
        (analysis.unanswered(whole), analysis.unanswered(whole[:0])),
        (analysis.activity(whole), analysis.activity(whole[:0])),
        (analysis.tools(requests), analysis.tools(requests[:0])),
        (analysis.repeated_calls(requests), analysis.repeated_calls(requests[:0])),
        (analysis.variable_changes(snapshots), analysis.variable_changes(snapshots[:0])),
        (
            analysis.live_revisions(whole, revisions),
            analysis.live_revisions(whole[:0], revisions[:0]),
        ),
        (analysis.live_revisions(whole, revisions), analysis.live_revisions(whole, revisions[:0])),
    ]:
        assert len(other) == 0
        assert one.dtypes.to_dict() == other.dtypes.to_dict()
