"""Transcripts as HTML: bounded and folded for notebooks, or a complete page."""

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, cast

from draive_pg.display import html
from draive_pg.display.markdown import rendered
from draive_pg.display.page import closing, opening
from draive_pg.display.text import duration, json_text, one_line, plural
from draive_pg.display.transcript_parts import (
    TranscriptContent,
    TranscriptEntry,
    TranscriptImage,
    TranscriptPiece,
)

# Limits of what a notebook shows.
FIRST_ENTRIES = 40
LAST_ENTRIES = 160
MAX_PIECES = 100  # of one entry, or of one piece
MAX_TEXT = 20_000  # characters of one text
MAX_CHARS = 2_000_000  # of all texts, and of all images
MAX_IMAGE = 512 * 1024  # bytes of an image

IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")  # SVG can hold scripts


MARK = "color:color-mix(in srgb, orangered 70%, currentColor)"
ROW = "display:grid;grid-template-columns:8em minmax(0,1fr);column-gap:1em;margin:0.4em 0"
SIDE = f"{html.DIM};text-align:right;font-size:0.85em;padding-top:0.2em;white-space:nowrap"
BODY = "padding:0.1em 0.9em;border-left:3px solid "
ASKED = "background:color-mix(in srgb, currentColor 6%, transparent)"
CODE = "font-family:ui-monospace,monospace;font-size:0.9em;margin:0.3em 0 0.3em 1.2em"
PICTURE = "display:block;max-width:100%;max-height:20em;margin:0.3em 0"
COLOURS = {"user": "dodgerblue", "assistant": "mediumseagreen", "tool": "darkgoldenrod"}
OTHER = "orangered"
FAILED = "border-left:3px solid orangered;padding-left:0.6em;margin-left:calc(-0.6em - 3px)"
# Where a notebook removes style elements, previews stay, and the checkbox has no effect.
STYLE = """
.draive-pg details[open]>summary .preview,.draive-pg:has(.unfold:checked) .preview{display:none}
.draive-pg:has(.unfold:checked) details::details-content{content-visibility:visible;height:auto}
@media print{.draive-pg details::details-content{content-visibility:visible;height:auto}}
""".strip()
UNFOLD = (
    f'<label style="float:right;{html.DIM};font-size:0.85em">'
    '<input class="unfold" type="checkbox"> unfold all</label>'
)
URL_SAFE = str.maketrans("-_", "+/")  # both alphabets of base64 are in use


type Answer = tuple[TranscriptEntry, TranscriptPiece]
"""A response, with the element that it is in."""


def bounded(transcript: TranscriptContent) -> str:
    """Return HTML for a notebook, without what exceeds the limits."""
    return Page(MAX_CHARS).transcript(transcript)


def page(transcript: TranscriptContent) -> str:
    """Return a complete HTML page with every element in full."""
    shown = Page(math.inf).transcript(transcript)
    return f"{opening(f'Memory {transcript.identifier}')}{shown}{closing()}"


class Page:
    """HTML with a limited size; what exceeds the limits is counted.

    Parameters
    ----------
    max_chars : float
        Maximum number of characters of all texts, and of all images; infinite for no limit.
    """

    def __init__(self, max_chars: float) -> None:
        self._bounded = max_chars < math.inf
        self._texts = max_chars
        self._images = max_chars
        self._markdown = False
        # Shown positions, and the responses to show with their requests.
        self._shown: set[int] = set()
        self._answers: dict[tuple[int, int], Answer] = {}

    def transcript(self, shown: TranscriptContent) -> str:
        """Return the transcript, or its first and last entries."""
        return html.block(f"<style>{STYLE}</style>{self.content(shown)}", "max-width:60em")

    def content(self, shown: TranscriptContent) -> str:
        """Return the transcript without its style sheet, for a page that has it already."""
        entries = shown.entries
        over = len(entries) - FIRST_ENTRIES - LAST_ENTRIES if self._bounded else 0
        first, last = (
            (entries, ()) if over <= 0 else (entries[:FIRST_ENTRIES], entries[-LAST_ENTRIES:])
        )
        self._shown = {entry.position for entry in (*first, *last)}
        self._answers = {
            piece.request: (entry, piece)
            for entry in (*first, *last)
            for piece in entry.pieces
            if piece.request
        }
        # The last entries first: the limit of characters should leave out earlier ones.
        end = "".join(map(self._entry, last))
        body = "".join(map(self._entry, first)) + (_between(over) if last else "") + end
        return f'<div class="draive-pg">{UNFOLD}{self._head(shown)}{body}</div>'

    def _head(self, shown: TranscriptContent) -> str:
        facts = [f"<b>{escape(f'{shown.identifier:.200}')}</b>", *map(escape, shown.facts)]
        marked = len(shown.marks)
        marks = f' · <span style="{MARK}">{plural(marked, "mark")}</span>' if marked else ""
        return f"<div>{' · '.join(facts)}{marks}</div>{self._variables(shown.variables)}"

    def _variables(self, variables: object) -> str:
        if not isinstance(variables, dict):
            text = json_text(variables)
            return self._piece(TranscriptPiece("raw", "variables", text, notes=("no object",)))
        if not variables:
            return ""
        rows = [
            (self._cut(name), self._cut(value if isinstance(value, str) else json_text(value)))
            for name, value in cast("dict[str, object]", variables).items()
        ]
        most = html.MAX_ROWS if self._bounded else len(rows)
        over = f"{len(rows) - most:,} more, which .variables has" if len(rows) > most else ""
        table = html.table(("variable", "value"), rows[:most], max_rows=most, caption=over)
        return f'<details open style="margin:0.5em 0"><summary>Variables</summary>{table}</details>'

    def _entry(self, entry: TranscriptEntry) -> str:
        if entry.pieces and all(map(self._is_answer, entry.pieces)):
            return _pause(entry)
        when = "-"
        if entry.created is not None:
            moment = f"{entry.created:%Y-%m-%d %H:%M:%S}"
            when = f'<span title="{moment} UTC">{moment[11:]}</span>'
        colour = COLOURS.get(entry.who, OTHER)
        body = f"{BODY}{colour}" + (f";{ASKED}" if entry.who == "user" else "")
        self._markdown = entry.who == "assistant"
        said = self._pieces(entry.pieces, entry.position)
        return (
            f"{_pause(entry)}"
            f'<div style="{ROW}"><div style="{SIDE}">#{entry.position} · {when}</div>'
            f'<div style="{body}"><b>{escape(entry.who)}</b>{_notes(entry.notes)}'
            f"{self._meta(entry.meta)}{said}</div></div>"
        )

    def _is_answer(self, piece: TranscriptPiece) -> bool:
        """Return whether a piece is shown with the request that it answers."""
        return piece.request is not None and piece.request[0] in self._shown

    def _pieces(self, pieces: Sequence[TranscriptPiece], position: int = -1) -> str:
        """Return pieces; with the position of their element, each request with its response."""
        shown = [
            (piece, self._answers.get((position, number)))
            for number, piece in enumerate(pieces)
            if not self._is_answer(piece)
        ]
        most = MAX_PIECES if self._bounded else len(shown)
        over = f"<div>{plural(len(shown) - most, 'more part')}</div>" * (len(shown) > most)
        return "".join(self._piece(*each) for each in shown[:most]) + over

    def _piece(self, piece: TranscriptPiece, answer: Answer | None = None) -> str:
        match piece.kind:
            case "text":
                said = self._spoken(piece)
            case "reasoning":
                said = (
                    f'<div style="{html.DIM}"><i>thinks</i>{_notes(piece.notes)}'
                    f"{self._pieces(piece.inner)}</div>"
                )
            case "request":
                said = self._call(piece, answer)
            case "response":
                said = self._response(piece, _head(piece, "←"))
            case "resource":
                said = self._resource(piece)
            case "reference":
                kind = f" ({escape(piece.text)})" if piece.text else ""
                said = self._named(f"{escape(self._cut(piece.label))}{kind}", "reference")
            case "artifact":
                head = f"artifact <b>{escape(self._cut(piece.label))}</b>"
                said = self._unfolds((f"{head}{_notes(piece.notes)}", piece.text))
            case "raw":
                said = self._unfolds((f"{escape(piece.label)}{_notes(piece.notes)}", piece.text))
        return said + self._meta(piece.meta)

    def _spoken(self, piece: TranscriptPiece) -> str:
        if piece.inner:
            return self._pieces(piece.inner)
        text = self._cut(piece.text)
        if self._markdown and (document := _document(text)) is not None:
            return f'<div style="{html.WRAP};{CODE}">{escape(document)}</div>'
        return (
            rendered(text) if self._markdown else f'<div style="{html.WRAP}">{escape(text)}</div>'
        )

    def _call(self, piece: TranscriptPiece, answer: Answer | None) -> str:
        """Return a request with its response in one block."""
        head = f"{_head(piece, '→')}{_notes(piece.notes)}"
        if answer is None:
            return self._unfolds((head, piece.text))
        entry, response = answer
        when = f'<span style="{html.DIM};font-size:0.85em">#{entry.position}</span>'
        answered = _head(response, f"← {when}", named=False)
        text = _only_text(response)
        if text is None:
            said = self._unfolds((head, piece.text)) + self._response(response, answered)
        else:
            said = self._unfolds((head, piece.text), (answered, text))
            said += self._meta(response.inner[0].meta)
        said += self._meta(response.meta)
        if response is entry.pieces[0] and all(map(self._is_answer, entry.pieces)):
            said += _notes(entry.notes) + self._meta(entry.meta)  # it has no row of its own
        style = FAILED if response.failed else ""
        return f'<div style="{style}">{said}</div>'

    def _response(self, piece: TranscriptPiece, head: str) -> str:
        head += _notes(piece.notes)
        if (text := _only_text(piece)) is not None:
            return self._unfolds((head, text)) + self._meta(piece.inner[0].meta)
        return f"<div>{head}{self._pieces(piece.inner)}</div>"

    def _unfolds(self, *rows: tuple[str, str]) -> str:
        """Return each text after its head: on one line, or its start, which unfolds."""
        lines: list[str] = []
        whole: list[str] = []
        complete = True
        for head, text in rows:
            cut = self._cut(text)
            line = one_line(cut)
            few = line if len(line) <= html.FOLD else f"{line[: html.FOLD]}…"
            complete &= few == cut
            lines.append(f'{head} <span class="preview" style="{html.DIM}">{escape(few)}</span>')
            whole.append(f'<div style="{html.WRAP};{CODE}">{escape(cut)}</div>')
        if complete:
            return "".join(f'<div style="{html.WRAP}">{line}</div>' for line in lines)
        first, *others = lines
        preview = "".join(
            f'<div class="preview" style="padding-left:1.1em">{line}</div>' for line in others
        )
        summary = f'<summary style="overflow-wrap:anywhere">{first}{preview}</summary>'
        heads = ("", *(f"<div>{head}</div>" for head, _ in rows[1:]))
        body = "".join(f"{head}{text}" for head, text in zip(heads, whole, strict=True))
        return f"<details>{summary}{body}</details>"

    def _resource(self, piece: TranscriptPiece) -> str:
        image = None if piece.image is None else self._image(piece.image)
        if image is None:
            return self._named(escape(self._cut(piece.label)), "resource")
        return f'<img style="{PICTURE}" alt="{escape(piece.label)}" src="{image}">'

    def _image(self, image: TranscriptImage) -> str | None:
        """Return the data URL of a small image, encoded again so that it holds nothing else."""
        if image.mime_type not in IMAGES or not len(image.data) <= MAX_IMAGE * 4 / 3:
            return None
        try:
            data = base64.b64decode(image.data.translate(URL_SAFE), validate=True)
        except (binascii.Error, ValueError):
            return None
        self._images -= len(image.data)
        if not data or self._images < 0:
            return None
        return f"data:{image.mime_type};base64,{base64.b64encode(data).decode()}"

    def _meta(self, meta: Mapping[str, Any]) -> str:
        if not meta:
            return ""
        text = ", ".join(
            f"{key}: {value if isinstance(value, str) else json_text(value)}"
            for key, value in meta.items()
        )
        return f'<div style="{html.DIM};font-size:0.85em">{html.folded(self._cut(text))}</div>'

    def _named(self, name: str, kind: str) -> str:
        return f'<div style="{html.WRAP}"><span style="{html.DIM}">[{kind}]</span> {name}</div>'

    def _cut(self, text: str) -> str:
        most = int(min(MAX_TEXT, max(0, self._texts))) if self._bounded else len(text)
        self._texts -= min(len(text), most)
        return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more)"


def _between(count: int) -> str:
    return (
        f'<div style="{html.DIM};text-align:center;margin:1em 0">{count:,} more elements here: '
        f"[{FIRST_ENTRIES}:{FIRST_ENTRIES + LAST_ENTRIES}] of this shows the next ones, and "
        f"to_html() all</div>"
    )


def _pause(entry: TranscriptEntry) -> str:
    if entry.pause is None:
        return ""
    day = "" if entry.created is None else f" · {entry.created:%Y-%m-%d}"
    return (
        f'<div style="{html.DIM};text-align:center;font-size:0.85em;margin:1em 0">'
        f"{duration(entry.pause)} later{day}</div>"
    )


def _notes(notes: Sequence[str]) -> str:
    return "".join(
        f' <span style="{MARK};font-size:0.85em">⚠ {escape(note)}</span>' for note in notes
    )


def _head(piece: TranscriptPiece, arrow: str, *, named: bool = True) -> str:
    """Return the name of a request or response, and how a response differs from a usual one."""
    name = f" <b>{escape(piece.label)}</b>" if named else ""
    handling = piece.text if piece.kind == "response" else ""
    if piece.failed and handling in ("", "error"):
        handling = "failed"
    state = f' <span style="{MARK}">{escape(handling)}</span>' if handling else ""
    return f"{arrow}{name}{state}"


def _only_text(piece: TranscriptPiece) -> str | None:
    """Return the text of a response, indented if it is JSON; None if it has other parts."""
    if len(piece.inner) != 1 or piece.inner[0].kind != "text" or piece.inner[0].inner:
        return None
    text = piece.inner[0].text
    document = _document(text)
    return text if document is None else document


def _document(text: str) -> str | None:
    """Return a text that is a JSON object or array indented; None if it is not."""
    if text[:1] in ("{", "[") and len(text) <= MAX_TEXT:
        try:
            return json_text(json.loads(text), indent=2)
        except (ValueError, RecursionError):
            pass
    return None
