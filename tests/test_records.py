"""Records and `Records`: reprs, tables in terminals and notebooks, DataFrames, pickling."""

import copy
import math
import pickle
import re
from dataclasses import FrozenInstanceError, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import draive_pg
from draive_pg.display import diff, html, text
from draive_pg.models.documents import Revision
from draive_pg.models.record import Record, Records

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True, repr=False)
class Note(Record):
    name: str
    created: datetime
    text: str
    meta: Any = None


def test_record_is_frozen_and_has_bounded_repr() -> None:
    note = Note("a", MOMENT, "x" * 10_000, {str(n): "y" * 10_000 for n in range(1000)})
    assert len(repr(note)) < 500
    assert repr(note).startswith("Note(name='a', created=2026-01-02 03:04:05+00:00, text='xxx")
    with pytest.raises(FrozenInstanceError):
        note.name = "b"  # pyright: ignore


@pytest.mark.parametrize("limit", [None, 1])
def test_records_can_be_copied_and_pickled(limit: int | None) -> None:
    notes = Records(Note, [Note("a", MOMENT, "x"), Note("b", MOMENT, "y")], limit=limit)
    for other in (copy.deepcopy(notes), pickle.loads(pickle.dumps(notes))):
        assert other == notes
        assert other.kind is Note
        assert other.truncated is (limit == 1)


def test_public_classes_are_pickled_by_public_name() -> None:
    for name in draive_pg.__all__:
        if isinstance(public := getattr(draive_pg, name), type):
            assert public.__module__ == "draive_pg", name
            assert pickle.loads(pickle.dumps(public)) is public
    state = draive_pg.AppliedMigration("0001", "applied", MOMENT)
    assert pickle.loads(pickle.dumps(state)) == state


def test_slice_of_records_is_records() -> None:
    notes = Records(Note, [Note(str(n), MOMENT, "x") for n in range(10)])
    assert type(notes[2:4]) is Records
    assert [note.name for note in notes[::-3]] == ["9", "6", "3", "0"]
    assert len(notes[:5].to_df()) == 5
    none: Any = notes[:0]
    assert list(none.to_df().columns) == ["name", "created", "text", "meta"]


def test_records_report_truncation_by_limit() -> None:
    found = [Note(str(n), MOMENT, "x") for n in range(3)]
    whole, cut = Records(Note, found, limit=3), Records(Note, found, limit=2)
    assert (whole.truncated, cut.truncated, cut[:1].truncated) == (False, True, True)
    assert [note.name for note in cut] == ["0", "1"]
    for shown in (repr(cut), str(cut), cut._repr_html_()):
        assert "first 2, there are more" in shown
    for shown in (repr(whole), str(whole), whole._repr_html_()):
        assert "there are more" not in shown


def test_printed_records_are_a_table_of_terminal_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    notes = Records(Note, [Note("a\x1b[2J\n", MOMENT, "x" * 100_000, n) for n in range(1000)])
    lines = str(notes).split("\n")
    assert lines[0].split() == ["name", "created", "text", "meta"]
    assert lines[1].startswith(r"a\x1b[2J\n")
    assert lines[1].endswith("0")
    assert {len(line) for line in lines[1:61]} == {60}
    assert lines[61:] == ["940 more rows; to_df() has all", "1,000 in all"]
    assert str(Records(Note)).split("\n")[1:] == ["0 in all"]


def test_printed_table_omits_empty_columns() -> None:
    from draive_pg.display import text

    columns = ("name", "created", "author", "message", "current")
    rows = [("a", MOMENT, None, "", True), ("b", MOMENT, None, "why", False)]
    assert text.table(columns, rows).split("\n")[0].split() == [
        "name",
        "created",
        "message",
        "current",
    ]
    assert text.table(columns, []).split() == list(columns)


@pytest.mark.parametrize("width", [1, 7, 30, 200])
def test_printed_table_aligns_wide_characters(width: int) -> None:
    rows = [["ż", "漢字" * 20, 1], ["e\u0301", None, 20_000], [True, {"a": [MOMENT]}, None]]
    lines = text.table(["first", "second", "third"], rows, width=width).split("\n")
    assert len(lines) == 4
    assert all(text.width_of(line) <= max(width, text.MIN_WIDTH) for line in lines)


def test_records_are_a_tuple_with_bounded_repr() -> None:
    notes = Records(Note, [Note(str(n), MOMENT, "x" * 10_000) for n in range(1000)])
    assert len(notes) == 1000
    assert notes[7].name == "7"
    assert repr(notes).endswith("... 997 more]")
    assert len(repr(notes)) < 1500
    assert repr(Records(Note)) == "Records[]"


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_records_to_df_has_a_column_per_field(count: int) -> None:
    frame = Records(Note, [Note(str(n), MOMENT, "x") for n in range(count)]).to_df()
    assert list(frame.columns) == ["name", "created", "text", "meta"]
    assert len(frame) == count


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_html_table_is_escaped_and_bounded(count: int) -> None:
    hostile = "<script>alert('x')</script>" + "&" * 5000
    shown = Records(Note, [Note("<b>", MOMENT, "short") for _ in range(count)])._repr_html_()
    assert f"{count:,} in all" in shown
    assert shown.count("<tr>") <= html.MAX_ROWS + 1
    one = Note("<b>", MOMENT, hostile, {"<i>": ["</td>"]})._repr_html_()
    assert "<script" not in one
    assert "<b>" not in one
    assert "&lt;b&gt;" in one
    assert "<details" in one  # long values are collapsed, but complete
    assert one.count("&amp;") > 5000


def test_html_table_omits_and_names_empty_columns() -> None:
    shown = html.table(list("abcdef"), [[1, None, "", {}, 5, 0], [2, None, "", {}, 5, 0]])
    assert "no value in b, c, d" in shown
    assert shown.count("<th ") == 3
    assert html.table(list("abc"), [[1, None, ""]]).count("<th ") == 3


def test_html_table_includes_html_of_cell() -> None:
    inner = Records(Note, [Note("inner", MOMENT, "x")])
    assert inner._repr_html_() in html.table(("notes",), [[inner]])


@pytest.mark.parametrize("value", [None, True, 7, 0.5, "", [], ["a"], {"a": MOMENT}, object()])
def test_any_value_has_html(value: object) -> None:
    assert isinstance(html.shown(value), str)


def test_mathjax_leaves_all_html_alone(dsn: str, tmp_path: Path) -> None:
    price = "It costs $5 and the other is $6"
    with draive_pg.Client(dsn) as db:
        db.memories.import_chat(price, [{"role": "user", "content": price}])
        db.instructions.define(price, content=price)
        db.instructions.define(price, content=f"{price}!")
        db.instructions.label(price, "production")
        db.instructions.pull(tmp_path / "prompts")
        for path in tmp_path.rglob("*.md"):
            path.write_text("$5 or $6")
        shown: tuple[Any, ...] = (
            *(db.memory(price).show(), db.memories.list(), db.memories.erase(price, dry_run=True)),
            *(db.instructions.diff(price, 1), db.instructions.history(price)),
            *(db.instructions.revision(price), db.instructions.labels()),
            *(db.instructions.status(tmp_path / "prompts"), db.diagnose()),
            db.instructions.diff_folder(tmp_path / "prompts"),
            db.release(prompts={price: "$7 or $8"}),
        )
    for record in shown:
        page = record._repr_html_()
        assert page.startswith('<div class="tex2jax_ignore mathjax_ignore"'), type(record)
        assert page.endswith("</div>")
        assert page.count("<div") == page.count("</div>")
    assert shown[0].to_html().count("tex2jax_ignore mathjax_ignore") >= 1


def test_changed_words_of_a_line_are_marked() -> None:
    page = diff.side_by_side(("a", "b"), [("content", "Be brief & kind", "Be precise & kind")])
    assert f'Be <span style="{diff.REMOVED}">brief</span> &amp; kind' in page
    assert f'Be <span style="{diff.ADDED}">precise</span> &amp; kind' in page
    long = diff.side_by_side(("a", "b"), [("content", "x " * 9_000, "y " * 9_000)])
    assert "<span" not in long


def test_table_of_history_shows_differences_first() -> None:
    revisions = Records(
        Revision,
        [
            Revision("p", n, MOMENT, "x" * n, None, (), {}, "ada", "why", (), current=n == 2)
            for n in (2, 1)
        ],
    )
    lines = str(revisions).split("\n")
    assert lines[0].split() == ["revision", "current", "content"]
    assert "in all rows: name p, author ada, message why" in lines[-1]
    page = revisions._repr_html_()
    heads = re.findall("<th [^>]*>(.*?)</th>", page)
    assert heads == ["revision", "current", "content"]
    assert "no value in labels, description, arguments, meta" in page
    assert list(revisions.to_df().columns)[:4] == ["name", "revision", "created", "content"]
    assert re.findall("<th [^>]*>(.*?)</th>", revisions[:1]._repr_html_())[:2] == [
        "name",
        "revision",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, "-") for value in (None, math.nan, "", (), [], {}, Records(Note))),
        *((True, "yes"), (False, "no"), (12_345, "12,345"), (0.1234567891, "0.123457")),
        *(
            (text.Size(500), "500 B"),
            (text.Size(16_918), "16.5 kB"),
            (text.Size(5 << 40), "5.0 TB"),
        ),
    ],
)
def test_values_are_shown_alike_in_text_and_html(value: object, expected: str) -> None:
    assert text.printable(value) == expected
    assert re.sub("<.*?>", "", html.shown(value)) == expected


def test_ipython_terminal_shows_text_and_notebook_keeps_repr(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes = Records(Note, [Note("a", MOMENT, "x")])
    printed: list[str] = []
    printer: Any = SimpleNamespace(text=printed.append)
    notes._repr_pretty_(printer, cycle=False)
    monkeypatch.setattr("draive_pg.display.notebook.in_notebook", lambda: True)
    notes._repr_pretty_(printer, cycle=False)
    assert printed == [str(notes), repr(notes)]
