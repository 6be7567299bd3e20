"""Exports of frames: contents, formats, and atomic replacement of files."""

import csv
import gzip
import json
import os
import re
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from tqdm import tqdm

from draive_pg import Client, ConnectionFailed
from draive_pg.display import progress
from draive_pg.frames import export as exporting
from draive_pg.frames import read
from draive_pg.operations.conversations import transfer
from draive_pg.operations.convert import convert
from tests.conftest import Connect
from tests.elements import answered, asked, called, insert_elements, responded, thought
from tests.fault_server import assert_fails, terminate_sessions
from tests.frame_columns import COLUMNS
from tests.server import wait_until

ODD = 'a "quoted", %s\\ 10% żółć 漢字 😀\n\r\t\u2028 NA'


TEXTS = {"tools", "labels", "tags"}  # native lists in Parquet


def json_columns(name: str) -> set[str]:
    """Return the columns of a frame that hold documents."""
    return {column for column, dtype in COLUMNS[name].items() if dtype == "object"}


@pytest.fixture
def dsn(templates_dsn: str) -> str:
    """Every frame needs its tables."""
    return templates_dsn


def fill(db: Client) -> None:
    db.memory("one").remember(
        asked(ODD, n=9007199254740993, deep={"a": [1.5, None]}),
        called("c", "unanswered"),
        responded("c"),
        thought("why", ""),
    )
    db.memory("one").remember(asked(ODD), variables={"text": ODD})
    db.memory("one").pop()
    db.annotations.add("one", 0, name="odd", score=0.5, comment=ODD, tags=(ODD, "x"))
    db.annotations.add("one", name=ODD)
    db.instructions.define("greeting", content=ODD)
    db.templates.define("greeting", content=ODD)
    db.configurations.define("limits", {"a": {"b": [ODD]}})


def parsed(document: Any) -> Any:
    """Return the document of a JSON text, or None if it is missing."""
    return json.loads(document) if isinstance(document, str) else None


def expected(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the rows of a frame as in JSON Lines."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for row in rows:
        for name, value in row.items():
            if isinstance(value, tuple):
                row[name] = list(value)
            if isinstance(value, pd.Timestamp):
                row[name] = f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"
    return rows


@pytest.mark.parametrize("name", COLUMNS)
def test_parquet_equals_frame_with_json_as_text(db: Client, tmp_path: Path, name: str) -> None:
    fill(db)
    path = tmp_path / "frame.parquet"
    frame = getattr(db.frames, name)()
    assert db.frames.export(name, path) == len(frame) > 0
    read = pd.read_parquet(path)
    for column in json_columns(name):
        convert = tuple if column in TEXTS else parsed
        read[column] = read[column].map(convert).astype("object")
    indexes = [column for column, dtype in COLUMNS[name].items() if dtype == "Int64"]
    read = read.astype(dict.fromkeys(indexes, "Int64"))
    pd.testing.assert_frame_equal(read, frame)


@pytest.mark.parametrize("name", COLUMNS)
def test_json_lines_equal_rows_of_frame(db: Client, tmp_path: Path, name: str) -> None:
    fill(db)
    path = tmp_path / "frame.jsonl"
    frame = getattr(db.frames, name)()
    assert db.frames.export(name, path) == len(frame)
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == expected(frame)


def test_csv_equals_rows_of_frame(db: Client, tmp_path: Path) -> None:
    fill(db)
    path = tmp_path / "frame.csv"
    for name in ("conversation_log", "tool_calls"):
        frame = getattr(db.frames, name)()
        assert db.frames.export(name, path) == len(frame)
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row, wanted in zip(rows, expected(frame), strict=True):
            for column, value in wanted.items():
                if column in json_columns(name) or isinstance(value, bool | float):
                    assert json.loads(row[column]) == value
                else:
                    assert row[column] == ("" if value is None else str(value))
        assert all(datetime.fromisoformat(row["created"]).tzinfo for row in rows)


def test_csv_for_spreadsheets_has_a_byte_order_mark_and_no_formulas(
    db: Client, tmp_path: Path
) -> None:
    texts = ["=1+1", "+1", "-1", "@a", "\tx", "\rx", "1=1", "", "żółć"]
    db.memory("=m").remember(*map(asked, texts))
    path = tmp_path / "log.csv"
    db.frames.export("conversation_log", path, spreadsheet=True, columns=["identifier", "text"])
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == [*(f"'{text}" for text in texts[:6]), *texts[6:]]
    assert {row["identifier"] for row in rows} == {"'=m"}
    with pytest.raises(ValueError, match="spreadsheet is for CSV, not for parquet"):
        db.frames.export("conversation_log", tmp_path / "log.parquet", spreadsheet=True)


def test_format_is_selected_by_suffix_or_argument(db: Client, tmp_path: Path) -> None:
    fill(db)
    db.frames.export("sessions", tmp_path / "a.csv")
    db.frames.export("sessions", str(tmp_path / "a.csv.gz"))
    packed = (tmp_path / "a.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "a.csv").read_bytes()
    db.frames.export("sessions", tmp_path / "a.JSONL")
    db.frames.export("sessions", tmp_path / "a.2.data", format="jsonl")
    assert (tmp_path / "a.2.data").read_bytes() == (tmp_path / "a.JSONL").read_bytes()
    before = {*tmp_path.iterdir()}
    wrong: list[tuple[str, Any]] = [
        ("a", None),
        ("a.xlsx", None),
        ("a.gz", None),
        ("a.parquet.gz", None),
        ("a.csv", "nope"),
    ]
    for name, format_ in wrong:
        with pytest.raises(ValueError, match=r"format|Parquet"):
            db.frames.export("sessions", tmp_path / name, format=format_)
    with pytest.raises(ValueError, match="is not a regular file"):
        db.frames.export("sessions", tmp_path, format="csv")
    assert {*tmp_path.iterdir()} == before


def test_export_accepts_filters(db: Client, tmp_path: Path) -> None:
    for identifier in ("a", "b"):
        db.memory(identifier).remember(asked("q"), answered("a"))
    path = tmp_path / "log.jsonl"
    options: dict[str, Any] = {"identifier": "b", "role": "output", "columns": ["text", "position"]}
    assert db.frames.export("conversation_log", path, **options) == 1
    assert path.read_text() == '{"text": "a", "position": 1}\n'
    assert db.frames.export("conversation_log", path, identifier="none", columns=["text"]) == 0
    assert path.read_text() == ""


@pytest.mark.usefixtures("one_server")  # the coordinator sends it at once
def test_export_replaces_file_atomically(
    connect: Connect,
    dsn: str,
    sql: psycopg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    db = connect(dsn)
    insert_elements(db, sql, 60_000)
    path = tmp_path / "log.csv"
    path.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def lost(*_: object) -> None:
        terminate_sessions(dsn, wait=False)

    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    faults = {
        OSError: full,
        KeyboardInterrupt: interrupted,
    }
    for error, fault in faults.items():
        with monkeypatch.context() as patched:
            patched.setattr(exporting.Csv, "write", fault)
            with pytest.raises(error):
                db.frames.export("conversation_log", path)
        assert path.read_text() == "before"
        # The thread of an async export removes its draft.
        wait_until(lambda: [*tmp_path.iterdir()] == [path])
    with monkeypatch.context() as patched:
        patched.setattr(exporting.Csv, "write", lost)
        assert_fails(
            ConnectionFailed,
            lambda: db.frames.export("conversation_log", path),
            operation="export frame conversation_log",
            sqlstate="57P01",
            has_sqlstate=False,
        )
    assert path.read_text() == "before"
    assert db.frames.export("conversation_log", path) == 60_000
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes().count(b"\n") == 60_001


def test_missing_directory_is_named_in_error(db: Client, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        db.frames.export("sessions", tmp_path / "nowhere" / "a.csv")


@pytest.mark.usefixtures("one_server")  # an estimate of rows
def test_progress_is_shown_on_request(
    db: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(db)
    db.frames.export("sessions", tmp_path / "a.csv")
    assert capsys.readouterr().err == ""
    db.frames.export("sessions", tmp_path / "a.csv", progress=True)
    shown = capsys.readouterr().err
    assert "sessions" in shown
    assert "%|" in shown  # of the estimated total
    assert "rows/s" in shown


def test_progress_in_notebook_without_widgets_is_not_shown_as_an_error(
    db: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db)
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(progress, "DELAY", 0)
    db.frames.export("sessions", tmp_path / "a.csv", progress=True)
    shown = capsys.readouterr()
    assert "rows/s" in shown.out
    assert shown.err == ""


def test_progress_bar_is_complete_at_the_end_whatever_was_estimated() -> None:
    bars: list[tqdm[Any]] = []
    with pytest.raises(ZeroDivisionError), progress.progress(9, "reading", "B", wanted=True) as bar:
        bars.append(bar)
        bar.update(3)
        raise ZeroDivisionError
    assert [(bar.n, bar.total) for bar in bars] == [(3, 3)]


def test_progress_of_whole_frames_and_memories_has_an_estimated_total(
    db: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db)
    expected = db.frames.conversation_log()
    for module in (read, transfer, convert):
        monkeypatch.setattr(module, "watched", lambda _=None: True)
    monkeypatch.setattr(progress, "watched", lambda _=None: True)
    monkeypatch.setattr(progress, "DELAY", 0)
    pd.testing.assert_frame_equal(db.frames.conversation_log(), expected)
    assert re.search(r"conversation_log: +\d+%\|", capsys.readouterr().err)
    db.memories.export_memories(tmp_path / "memories.jsonl")
    assert re.search(r"Exporting: +\d+%\|", capsys.readouterr().err)
    db.convert("0.118", dry_run=True)
    assert re.search(r"Converting: +\d+%\|", capsys.readouterr().err)
