"""Transcripts as HTML: bounded and folded for notebooks, or a complete page."""

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, cast

from draive_pg.display import html
from draive_pg.display.text import duration, json_text, one_line, plural
from draive_pg.models.transcript import (
    Transcript,
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
CODE = "font-family:monospace;font-size:0.9em;margin:0.3em 0 0.3em 1.2em"
PICTURE = "display:block;max-width:100%;max-height:20em;margin:0.3em 0"
COLOURS = {"user": "dodgerblue", "model": "mediumseagreen", "tool": "darkgoldenrod"}
OTHER = "orangered"
URL_SAFE = str.maketrans("-_", "+/")  # both alphabets of base64 are in use


def bounded(transcript: Transcript) -> str:
    """Return HTML for a notebook, without what exceeds the limits."""
    return Page(MAX_CHARS).transcript(transcript)


def page(transcript: Transcript) -> str:
    """Return a complete HTML page with every element in full."""
    title = escape(f"Memory {transcript.identifier}")
    style = "color-scheme:light dark;font-family:sans-serif;margin:2em"
    return (
        f'<!DOCTYPE html><html style="{style}"><head><meta charset="utf-8">'
        f"<title>{title}</title></head><body>{Page(math.inf).transcript(transcript)}</body></html>"
    )


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

    def transcript(self, shown: Transcript) -> str:
        """Return the transcript, or its first and last entries."""
        entries = shown.entries
        over = len(entries) - FIRST_ENTRIES - LAST_ENTRIES if self._bounded else 0
        if over <= 0:
            body = "".join(map(self._entry, entries))
        else:
            # The last entries first: the limit of characters should leave out earlier ones.
            last = "".join(map(self._entry, entries[-LAST_ENTRIES:]))
            body = "".join(map(self._entry, entries[:FIRST_ENTRIES])) + _between(over) + last
        return html.block(f"{self._head(shown)}{body}", "max-width:60em")

    def _head(self, shown: Transcript) -> str:
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
        when = "-"
        if entry.created is not None:
            moment = f"{entry.created:%Y-%m-%d %H:%M:%S}"
            when = f'<span title="{moment} UTC">{moment[11:]}</span>'
        colour = COLOURS.get(entry.who, OTHER)
        body = f"{BODY}{colour}" + (f";{ASKED}" if entry.who == "user" else "")
        said = self._pieces(entry.pieces)
        return (
            f"{_pause(entry)}"
            f'<div style="{ROW}"><div style="{SIDE}">#{entry.position} · {when}</div>'
            f'<div style="{body}"><b>{escape(entry.who)}</b>{_notes(entry.notes)}'
            f"{self._meta(entry.meta)}{said}</div></div>"
        )

    def _pieces(self, pieces: Sequence[TranscriptPiece]) -> str:
        most = MAX_PIECES if self._bounded else len(pieces)
        over = f"<div>{plural(len(pieces) - most, 'more part')}</div>" * (len(pieces) > most)
        return "".join(map(self._piece, pieces[:most])) + over

    def _piece(self, piece: TranscriptPiece) -> str:
        match piece.kind:
            case "text":
                said = self._spoken(piece)
            case "reasoning":
                said = (
                    f'<div style="{html.DIM}"><i>thinks</i>{_notes(piece.notes)}'
                    f"{self._pieces(piece.inner)}</div>"
                )
            case "request":
                said = self._unfolds(f"→ <b>{escape(piece.label)}</b>", piece, piece.text)
            case "response":
                said = self._response(piece)
            case "resource":
                said = self._resource(piece)
            case "reference":
                kind = f" ({escape(piece.text)})" if piece.text else ""
                said = self._named(f"{escape(self._cut(piece.label))}{kind}", "reference")
            case "artifact":
                head = f"artifact <b>{escape(self._cut(piece.label))}</b>"
                said = self._unfolds(head, piece, piece.text)
            case "raw":
                said = self._unfolds(escape(piece.label), piece, piece.text)
        return said + self._meta(piece.meta)

    def _spoken(self, piece: TranscriptPiece) -> str:
        if piece.inner:
            return self._pieces(piece.inner)
        return f'<div style="{html.WRAP}">{escape(self._cut(piece.text))}</div>'

    def _response(self, piece: TranscriptPiece) -> str:
        handling = f' <span style="{MARK}">{escape(piece.text)}</span>' if piece.text else ""
        head = f"← <b>{escape(piece.label)}</b>{handling}"
        if len(piece.inner) == 1 and (text := _pretty(piece.inner[0])) is not None:
            return self._unfolds(head, piece, text) + self._meta(piece.inner[0].meta)
        return f"<div>{head}{_notes(piece.notes)}{self._pieces(piece.inner)}</div>"

    def _unfolds(self, head: str, piece: TranscriptPiece, text: str) -> str:
        """Return a text of one line, or the start of a longer text, which unfolds."""
        cut = self._cut(text)
        line = one_line(cut)
        few = line if len(line) <= html.FOLD else f"{line[: html.FOLD]}…"
        shown = f'{head} <span style="{html.DIM}">{escape(few)}</span>{_notes(piece.notes)}'
        if few == cut:
            return f'<div style="{html.WRAP}">{shown}</div>'
        more = f'<div style="{html.WRAP};{CODE}">{escape(cut)}</div>'
        summary = f'<summary style="overflow-wrap:anywhere">{shown}</summary>'
        return f"<details>{summary}{more}</details>"

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
        text = ", ".join(f"{key}: {json_text(value)}" for key, value in meta.items())
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


def _pretty(piece: TranscriptPiece) -> str | None:
    """Return the text of a piece, indented if it is JSON; None if it is not text."""
    if piece.kind != "text" or piece.inner:
        return None
    if piece.text[:1] in ("{", "[") and len(piece.text) <= MAX_TEXT:
        try:
            return json_text(json.loads(piece.text), indent=2)
        except (ValueError, RecursionError):
            pass
    return piece.text
