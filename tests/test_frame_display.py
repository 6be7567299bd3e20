"""How notebooks show the DataFrames of draive_pg, and that they stay those of pandas."""

import io
import pickle
import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from draive_pg import Client
from draive_pg.display.frame import formatted, with_display

LONG = "Where is my bicycle? " * 30


@pytest.fixture
def log(db: Client) -> pd.DataFrame:
    """Return the log of two conversations."""
    for name in ("a", "b"):
        messages = [
            {"role": role, "content": f"{role} <b> {LONG}"}
            for _ in range(10)
            for role in ("user", "assistant")
        ]
        db.memories.import_chat(name, messages)
    return db.frames.conversation_log()


def columns_of(frame: pd.DataFrame) -> list[str]:
    return re.findall("<th [^>]*>([^<]*)</th>", formatted(frame) or "")


def test_wide_frame_shows_texts_and_names_the_other_columns(log: pd.DataFrame) -> None:
    page = formatted(log) or ""
    shown = columns_of(log)
    assert shown[:5] == ["", "identifier", "position", "speaker", "text"]
    assert "reasoning" not in shown  # without values
    assert len(shown) < len(log.columns)
    assert "tool_responses" not in shown  # a long text needs the width more
    assert "40 rows, 13 columns · not shown: " in page
    left_out = re.sub(".*not shown: ", "", page).split("<")[0].split(", ")
    assert sorted([*shown[1:], *left_out]) == sorted(log.columns)
    assert "user &lt;b&gt; Where is my bicycle?" in page
    assert re.search(r">\d{4}-\d\d-\d\d \d\d:\d\d:\d\d<", page)  # to the second


def test_chosen_columns_keep_their_order(log: pd.DataFrame) -> None:
    assert columns_of(log[["created", "meta", "text"]]) == ["", "created", "meta", "text"]


def test_added_column_is_shown(log: pd.DataFrame) -> None:
    assert "tokens" in columns_of(log.assign(tokens=1))


def test_number_of_rows_follows_pandas_options(log: pd.DataFrame) -> None:
    longer = log.loc[log.index.repeat(2)]
    assert "first 10 of 80 rows" in (formatted(longer) or "")
    with pd.option_context("display.min_rows", 3):
        assert (formatted(longer) or "").count("<tr>") == 1 + 3
    with pd.option_context("display.max_rows", None):
        assert (formatted(longer) or "").count("<tr>") == 1 + 80
    with pd.option_context({"display.notebook_repr_html": False}):
        assert formatted(log) is None


def test_missing_values_decimals_dates_and_booleans_are_readable() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None], dtype="Int64"),
            "x": [1234.25, 0.5],
            "day": pd.Series([moment, None], dtype="datetime64[us, UTC]"),
            "flag": [True, False],
        }
    )
    cells = re.findall("<td [^>]*>(?:<span [^>]*>)?([^<]*)", formatted(with_display(frame)) or "")
    assert cells == ["0", "1", "1,234.25", "2026-01-02", "True", "1", "-", "0.50", "-", "False"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([2 / 3, 0.0, 0.0606061], ["0.6667", "0.0000", "0.0606"]),
        ([62.8123, 0.25], ["62.81", "0.25"]),
        ([0.0067, 0.00019], ["0.00670", "0.00019"]),
        ([1000.0, 0.0003], ["1,000.0000", "0.0003"]),
        ([float("inf"), 1.5, 0.0], ["inf", "1.5", "0.0"]),
        ([0.0, -7.0], ["0", "-7"]),
    ],
)
def test_numbers_have_the_decimals_that_matter(values: list[float], shown: list[str]) -> None:
    page = formatted(with_display(pd.DataFrame({"x": values}))) or ""
    assert re.findall("<td [^>]*>([^<]+)</td>", page) == shown


def test_other_frames_are_shown_by_pandas(
    log: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = (
        pd.DataFrame(log),
        log.groupby("speaker")[["n_chars"]].sum(),
        log.set_index("identifier"),
        log.pivot_table(index="identifier", columns="speaker", values="n_chars"),
        log.T,
        log[[]],
    )
    for frame in others:
        assert formatted(frame) == frame._repr_html_()  # pyright: ignore[reportCallIssue]
    monkeypatch.setattr(pd.DataFrame, "_repr_html_", lambda frame: "of another package")
    assert formatted(log) == "of another package"


def test_any_python_object_is_shown(log: pd.DataFrame) -> None:
    values = [np.array([]), np.array([[1, 2]]), [np.array([1])], {1}, pd.NA, pd.Series([1]), "<i>"]
    frame = log.head(len(values)).assign(value=pd.Series(values, dtype="object"))[["value"]]
    page = formatted(frame) or ""
    assert "[1, 2]" in page
    assert "&lt;i&gt;" in page


def test_frame_stays_a_usual_one(log: pd.DataFrame) -> None:
    plain = pd.DataFrame(log)
    assert type(log) is pd.DataFrame
    assert_frame_equal(log, plain)
    assert_frame_equal(plain, log)
    restored: pd.DataFrame = pickle.loads(pickle.dumps(log))
    assert_frame_equal(restored, log)
    file = io.BytesIO()
    log.drop(columns="meta").to_parquet(file)
    read: Any = pd.read_parquet(file)
    assert columns_of(read)[:2] == ["", "identifier"]
    merged = log.merge(plain, on=["identifier", "position"])
    assert len(merged) == len(log)
    assert repr(log) == repr(plain)
