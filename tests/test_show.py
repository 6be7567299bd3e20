"""Transcripts of memories: complete, with anomalies marked, and escaped."""

import base64
import json
import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psycopg
import pytest
from draive import (
    ArtifactContent,
    DataModel,
    ModelInput,
    ModelOutput,
    ModelReasoning,
    MultimodalContent,
    ResourceContent,
    ResourceReference,
)
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import Client
from draive_pg.display.transcript import transcribe
from draive_pg.display.transcript_html import FIRST_ENTRIES, LAST_ENTRIES
from draive_pg.models.transcript import Transcript
from tests.elements import answered, asked, called, responded, thought
from tests.strategies import documents, elements, names, variables

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Note(DataModel):
    """A custom artifact."""

    secret: str


class Reader(HTMLParser):
    """A parser of HTML with balanced tags, for tags, attributes, sources and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.sources: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.sources += [value or "" for name, value in attrs if name == "src"]
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in ("img", "br", "hr", "meta", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["style"], ["script"]):
            self.text += data


def stored(*contents: str, first: int = 0, variables: object = None) -> Transcript:
    """Return a transcript of stored documents, one second apart."""
    rows = [(second * 1_000_000, content) for second, content in enumerate(contents)]
    return Transcript(
        identifier="<m>",
        exists=True,
        variables={} if variables is None else variables,
        elements=first + len(rows),
        entries=transcribe(rows, first=first),
    )


TAGS = {
    *("div", "b", "i", "span", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"),
    *("style", "label", "input"),
    # Of Markdown.
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"),
    *(f"h{level}" for level in range(1, 7)),
}
NAMES = {
    *("class", "style", "title", "open", "alt", "src", "type", "href", "rel", "target", "start"),
}


def assert_harmless(page: str) -> Reader:
    read = Reader(page)
    assert read.tags <= {*TAGS, "img"}
    assert read.names <= NAMES
    assert page.count("<style>") == 1
    assert all(re.match("https?:|mailto:", link, re.IGNORECASE) for link in read.links)
    assert all(source.startswith("data:image/") for source in read.sources)
    assert "svg" not in "".join(read.sources)
    return read


# --- Arbitrary rows


@given(st.lists(elements(with_artifacts=True), max_size=4), variables)
def test_any_elements_are_shown_and_escaped(
    shown: list[ModelInput | ModelOutput], values: dict[str, object]
) -> None:
    transcript = stored(*(element.to_json() for element in shown), variables=values)
    assert_harmless(transcript._repr_html_())
    assert str(transcript).count("\n#") == len(shown)
    assert not any("cannot read" in mark for _, mark in transcript.marks)
    for entry in transcript.entries:
        assert all(piece.kind != "raw" for piece in entry.pieces)


@given(
    st.lists(documents | st.fixed_dictionaries({"type": names, "blocks": documents}), max_size=4)
)
def test_any_documents_are_shown_and_marked_unreadable(shown: list[object]) -> None:
    transcript = stored(*map(json.dumps, shown))
    read = assert_harmless(transcript._repr_html_())
    assert str(transcript).count("\n#") == len(shown)
    for position, document in enumerate(shown):
        assert any(place == position and "cannot read" in mark for place, mark in transcript.marks)
        if isinstance(document, str):
            assert document.replace("\r", "") in read.text.replace("\r", "")


@pytest.mark.parametrize(
    ("broken", "shows"),
    [
        ('{"type": "model_input", "blocks": [7, null, {"type": "poem"}]}', '"poem"'),
        (
            '{"type": "model_input", "blocks": [{"type": "content", "parts": [{"tone": 1}, 7]}]}',
            '"tone"',
        ),
        (
            '{"type": "model_output", "blocks": [{"type": "tool_request", "identifier": [1]}]}',
            '"tool_request"',
        ),
        ('{"type": "model_output", "blocks": {}}', '"blocks"'),
        ('{"type": 7}', '"type"'),
        ("9" * 5000, "9999"),
        ("[" * 900 + "]" * 900, "[[[["),
    ],
)
def test_unreadable_row_is_shown_raw_and_others_are_unaffected(
    db: Client, sql: psycopg.Connection, broken: str, shows: str
) -> None:
    db.memory("bad").remember(asked("q"))
    sql.execute("INSERT INTO memories_elements VALUES ('bad', $1, '2035-01-01Z')", (broken,))
    sql.execute(
        "INSERT INTO memories_elements VALUES ('bad', $1, 'infinity')", (answered("a").to_json(),)
    )
    shown = db.memory("bad").show()
    assert [entry.who for entry in shown.entries][::2] == ["user", "assistant"]
    assert {position for position, _ in shown.marks} == {1}
    assert "not as draive writes it" in [mark for _, mark in shown.marks]
    assert shown.entries[2].created is None
    for text in (assert_harmless(shown._repr_html_()).text, str(shown)):
        assert "not as draive writes it" in text
        assert shows in text


@pytest.mark.parametrize("value", ["7", "null", "[1]", '"<i>x"'])
def test_non_object_variables_are_shown_raw(
    db: Client, sql: psycopg.Connection, value: str
) -> None:
    db.memory("bad").remember(asked("q"))
    sql.execute("INSERT INTO memories_variables VALUES ('bad', $1)", (value,))
    shown = db.memory("bad").show()
    assert value in assert_harmless(shown._repr_html_()).text
    assert f"[variables] {value}  ! no object" in str(shown).replace("\\", "")


# --- Contents


def test_transcript_of_conversation(db: Client) -> None:
    db.memory("m").remember(
        asked("Is the <red> one there?", channel="web"),
        thought("I should look.", "A moment."),
        called("c1", tool="stock", colour="red"),
        responded("c1", tool="stock", text='{"free": [2]}'),
        answered("Yes, two."),
        variables={"mood": "glad", "visits": 2},
    )
    shown = db.memory("m").show()
    assert repr(shown) == "Transcript('m', 5 elements)"
    assert shown.marks == ()
    assert [entry.who for entry in shown.entries] == [
        "user",
        "assistant",
        "assistant",
        "tool",
        "assistant",
    ]
    written = str(shown)
    for part in (
        "m: 5 elements, 20",
        "  mood = glad\n  visits = 2\n",
        '  user\n    ({"channel": "web"})\n    Is the <red> one there?\n',
        "  assistant\n    ~ I should look.\n    A moment.\n",
        '    -> stock {"colour": "red"}\n',
        '    <- stock {"free": [2]}\n',
    ):
        assert part in written
    page = shown._repr_html_()
    read = assert_harmless(page)
    assert "Is the <red> one there?" in read.text
    assert '"free": [\n' in read.text  # unfolded, JSON is indented
    assert page.count("<details>") == 1  # of the request and its response
    assert "https:" not in page


def test_images_are_embedded_and_other_resources_are_named() -> None:
    resources = [
        ResourceContent.of(PIXEL, mime_type="image/png"),
        ResourceContent.of(b"<svg onload=alert(1)>", mime_type="image/svg+xml"),
        ResourceContent.of(b"x" * 600_000, mime_type="image/jpeg"),
        ResourceContent.of(PIXEL, mime_type='image/png" onload="alert(1)'),
        ResourceReference.of("https://example.com/<x>.png", mime_type="image/png"),
        ArtifactContent.of(Note(secret="psst"), category="note", hidden=True),
    ]
    shown = stored(ModelInput.of(MultimodalContent.of(*resources)).to_json())
    read = assert_harmless(shown._repr_html_())
    assert read.sources == [f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"]
    assert "image/svg+xml, 21 bytes" in read.text
    assert "image/jpeg, 600,000 bytes" in read.text
    assert "[reference] https://example.com/<x>.png (image/png)" in read.text
    assert "note, hidden" in read.text
    assert "[reference https://example.com/<x>.png image/png]" in str(shown)
    assert "[artifact note, hidden]" in str(shown)


@pytest.mark.parametrize("data", ["", "!!!", "<script>", "AAA"])
def test_image_with_invalid_base64_is_not_embedded(data: str) -> None:
    part = {"data": data, "mime_type": "image/png", "meta": {}}
    content = {"type": "model_input", "blocks": [{"type": "content", "parts": [part]}], "meta": {}}
    assert assert_harmless(stored(json.dumps(content))._repr_html_()).sources == []


def test_control_characters_are_escaped() -> None:
    assert "\x1b" not in str(stored(asked("\x1b[2J\x07 end\x9b").to_json()))


def test_markdown_of_model_is_rendered_without_markup_of_its_own() -> None:
    said = (
        "**Hi** `x<y`\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n- one\n- two\n\n"
        "<script>alert(1)</script>\n\n[web](https://example.com/a) [mail](mailto:a@b.c) "
        "[bad](javascript:alert(1)) [file](/etc)\n"
        "![picture](https://example.com/x.png) ![inline](data:image/png;base64,AA) <https://d.e>"
    )
    page = stored(asked("**Hi** <b>").to_json(), answered(said).to_json())._repr_html_()
    read = assert_harmless(page)
    assert page.count("<strong>") == 1  # texts of users are shown as they are
    assert {"table", "li", "code"} <= read.tags
    assert read.sources == []
    assert read.links == [
        *("https://example.com/a", "mailto:a@b.c", "https://example.com/x.png", "https://d.e"),
    ]
    for part in (
        "**Hi** <b>",
        "<script>alert(1)</script>",
        "[bad](javascript:alert(1))",
        "[file](/etc)",
    ):
        assert part in read.text
    long = "*x* " * 100_000
    assert "<em>" not in stored(answered(long).to_json()).to_html()


@given(st.text() | st.text("[]()<>!*_`|-:#\n\"'&; ahtps/"))
def test_markdown_of_any_text_is_harmless(said: str) -> None:
    assert_harmless(stored(answered(said).to_json())._repr_html_())


@pytest.mark.parametrize("failure", ["Error: no such user", '{"error": "timeout"}'])
def test_failed_calls_are_marked_in_the_block_of_their_request(failure: str) -> None:
    shown = stored(
        called("c1", "c2").to_json(),
        responded("c1").to_json(),
        responded("c2", text=failure).to_json(),
    )
    assert [[piece.failed for piece in entry.pieces] for entry in shown.entries] == [
        *([False, False], [False], [True]),
    ]
    assert [entry.pieces[0].request for entry in shown.entries] == [None, (0, 0), (0, 1)]
    page = shown._repr_html_()
    assert page.count(">failed</span>") >= 1  # unfolding repeats it
    assert str(shown).count("<- find failed:") == 1
    assert "#1 · " not in page  # responses have no rows of their own
    assert "#2 · " not in page
    alone = shown[2:]._repr_html_()  # without the request
    assert "#2 · " in alone
    assert ">failed</span>" in alone


def test_transcript_is_saved_as_page_without_requests_or_scripts(tmp_path: Path) -> None:
    shown = stored(asked("q").to_json(), answered("# A").to_json())
    path = tmp_path / "m.html"
    assert shown.save(path) == path
    page = path.read_text()
    assert page == shown.to_html()
    read = Reader(page)
    assert read.sources == []
    assert not read.tags & {"script", "link", "iframe"}
    assert "default-src 'none'" in page
    for wrong, error in ((tmp_path / "m.pdf", ValueError), (7, TypeError)):
        with pytest.raises(error, match="path must"):
            shown.save(wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(FileNotFoundError):
        shown.save(tmp_path / "none" / "m.html")


def test_long_variables_are_shortened_and_lines_wrapped_at_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = stored(asked("word " * 40).to_json(), variables={"system": "Be brief.\n" * 200})
    assert max(map(len, str(shown).splitlines())) < 500
    assert "more)" in str(shown)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, str(shown).splitlines())) <= 60


# --- Anomalies


@pytest.mark.parametrize(
    ("elements", "marks"),
    [
        ((asked("q"), answered("a")), []),
        ((answered("greeting"), asked("q")), [(0, "recall leaves this out")]),
        (
            (asked("q"), called("c1", "c2"), responded("c1")),
            [
                (1, "recall leaves this out"),
                (1, "no response to this request"),
                (2, "recall leaves this out"),
            ],
        ),
        (
            (asked("q"), responded("c1")),
            [(1, "recall leaves this out"), (1, "no request for this response")],
        ),
        (
            (asked("q"), called("c1"), responded("c1"), called("c1"), responded("c1")),
            [],
        ),
    ],
)
def test_anomalies_are_marked(
    db: Client, elements: Sequence[ModelInput | ModelOutput], marks: list[tuple[int, str]]
) -> None:
    db.memory("m").remember(*elements)
    shown = db.memory("m").show()
    assert list(shown.marks) == marks
    recalled = db.memory("m").recall().context
    left_out = {position for position, mark in marks if mark == "recall leaves this out"}
    assert recalled == tuple(
        element for position, element in enumerate(elements) if position not in left_out
    )
    assert str(shown).count("  ! ") == len(marks)
    assert shown._repr_html_().count("⚠") == len(marks)


def test_pauses_and_equal_timestamps_are_shown(db: Client, sql: psycopg.Connection) -> None:
    for text, moment in (("a", "10:00"), ("b", "10:00"), ("c", "10:59"), ("d", "13:14")):
        db.memory("m").maintenance()
        sql.execute(
            "INSERT INTO memories_elements VALUES ('m', $1, $2)",
            (asked(text).to_json(), f"2026-01-02 {moment}Z"),
        )
    shown = db.memory("m").show()
    assert [entry.pause for entry in shown.entries] == [None, None, None, timedelta(hours=2.25)]
    assert [position for position, _ in shown.marks] == [1]
    assert "2 h 15 min later" in str(shown)
    assert "2 h 15 min later · 2026-01-02" in shown._repr_html_()


def test_limit_does_not_change_marks(db: Client) -> None:
    db.memory("m").remember(
        asked("q1"), called("c1"), responded("c1"), answered("a1"), asked("q2"), called("c2")
    )
    for limit in range(2, 7):
        shown = db.memory("m").show(limit)
        assert [entry.position for entry in shown.entries] == list(range(6 - limit, 6))
        assert [position for position, _ in shown.marks] == [5, 5]
    assert repr(db.memory("m").show(2)) == "Transcript('m', 2 of 6 elements)"


# --- Sizes


def test_long_transcript_is_truncated_only_in_notebook() -> None:
    shown = stored(*(asked(f"number {n}.").to_json() for n in range(2000)))
    page = assert_harmless(shown._repr_html_())
    assert len(shown._repr_html_()) < 200_000
    assert page.text.count("number ") == FIRST_ENTRIES + LAST_ENTRIES
    assert "1,800 more elements here" in page.text
    assert "number 39." in page.text
    assert "number 1840." in page.text
    assert (
        "number 40."
        in assert_harmless(shown[FIRST_ENTRIES : FIRST_ENTRIES + LAST_ENTRIES]._repr_html_()).text
    )
    assert Reader(shown.to_html()).text.count("number ") == 2000
    assert str(shown).count("number ") == 2000
    assert repr(shown[:3]) == "Transcript('<m>', 3 of 2,000 elements)"


def test_size_of_notebook_html_is_bounded() -> None:
    picture = ResourceContent.of(b"\x89" * 400_000, mime_type="image/png")
    much = ModelOutput.of(
        ModelReasoning.of(MultimodalContent.of("t" * 100_000)),
        MultimodalContent.of(*("x" * 100_000 for _ in range(5)), picture),
    )
    shown = stored(*[much.to_json()] * 40, variables={str(n): "v" * 1000 for n in range(1000)})
    assert len(shown._repr_html_()) < 8_000_000
    assert len(shown.to_html()) > 40 * 600_000
    assert len(repr(shown)) < 100


def test_missing_memory_is_reported(db: Client) -> None:
    shown = db.memory("none").show()
    assert not shown.exists
    assert "there is no such memory" in str(shown)
    assert "there is no such memory" in assert_harmless(shown._repr_html_()).text
    db.memory("none").maintenance()
    assert "0 elements" in str(db.memory("none").show())


@pytest.mark.parametrize("limit", [0, -1, "3", True])
def test_invalid_limit_is_rejected(db: Client, limit: Any) -> None:
    with pytest.raises(ValueError, match="limit must be a positive int or None"):
        db.memory("m").show(limit)


def test_transcript_supports_only_slices() -> None:
    with pytest.raises(TypeError, match=r"cut by slices, not by int; .* entries\[3\]"):
        stored(asked("q").to_json())[0]  # pyright: ignore
