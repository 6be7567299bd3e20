"""Records and sequences of them: how they look, and as what they come out."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from draive_pg.display import html
from draive_pg.models import Record, Records

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True, repr=False)
class Note(Record):
    name: str
    created: datetime
    text: str
    meta: Any = None


def test_a_record_is_frozen_and_its_repr_bounded() -> None:
    note = Note("a", MOMENT, "x" * 10_000, {str(n): "y" * 10_000 for n in range(1000)})
    assert len(repr(note)) < 500
    assert repr(note).startswith("Note(name='a', created=2026-01-02 03:04:05+00:00, text='xxx")
    with pytest.raises(FrozenInstanceError):
        note.name = "b"  # pyright: ignore


def test_records_can_be_copied_and_pickled() -> None:
    notes = Records(Note, [Note("a", MOMENT, "x")])
    for other in (copy.deepcopy(notes), pickle.loads(pickle.dumps(notes))):
        assert other == notes
        assert other.kind is Note


def test_records_are_a_tuple_with_a_bounded_repr() -> None:
    notes = Records(Note, [Note(str(n), MOMENT, "x" * 10_000) for n in range(1000)])
    assert len(notes) == 1000
    assert notes[7].name == "7"
    assert repr(notes).endswith("... 997 more]")
    assert len(repr(notes)) < 1500
    assert repr(Records(Note)) == "Records[]"


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_records_make_a_frame_with_the_columns_of_their_fields(count: int) -> None:
    frame = Records(Note, [Note(str(n), MOMENT, "x") for n in range(count)]).to_df()
    assert list(frame.columns) == ["name", "created", "text", "meta"]
    assert len(frame) == count


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_a_notebook_shows_a_table_that_is_escaped_and_bounded(count: int) -> None:
    hostile = "<script>alert('x')</script>" + "&" * 5000
    shown = Records(Note, [Note("<b>", MOMENT, "short") for _ in range(count)])._repr_html_()
    assert f"{count:,} in all" in shown
    assert shown.count("<tr>") <= html.MOST_ROWS + 1
    one = Note("<b>", MOMENT, hostile, {"<i>": ["</td>"]})._repr_html_()
    assert "<script" not in one
    assert "<b>" not in one
    assert "&lt;b&gt;" in one
    assert "<details" in one  # what is long unfolds, and is all there
    assert one.count("&amp;") > 5000


def test_of_many_columns_those_without_a_value_are_only_named() -> None:
    shown = html.table(list("abcdef"), [[1, None, "", {}, 5, 0], [2, None, "", {}, 5, 0]])
    assert "no value in b, c, d" in shown
    assert shown.count("<th ") == 3
    assert html.table(list("abc"), [[1, None, ""]]).count("<th ") == 3


def test_what_has_a_look_of_its_own_keeps_it_in_a_table() -> None:
    inner = Records(Note, [Note("inner", MOMENT, "x")])
    assert inner._repr_html_() in html.table(("notes",), [[inner]])


@pytest.mark.parametrize("value", [None, True, 7, 0.5, "", [], ["a"], {"a": MOMENT}, object()])
def test_any_value_can_be_shown(value: object) -> None:
    assert isinstance(html.shown(value), str)
