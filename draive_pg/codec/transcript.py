"""A memory's rows as a transcript: what each element says and does, and what is odd about it.

All that is stored has its place in it, also what draive cannot read, so this takes the stored JSON
apart itself. What can be recalled is decided where recalling decides it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from draive_pg.codec.elements import Document, Outline, outline, replayable
from draive_pg.codec.timestamps import from_epoch_us

__all__ = ("Entry", "Image", "Piece", "parsed", "transcribe")

type Kind = Literal[
    "text", "reasoning", "request", "response", "resource", "reference", "artifact", "raw"
]

PAUSE = timedelta(hours=1)  # from which on silence between two elements is worth a word

UNANSWERED = "no response to this request"
UNASKED = "no request for this response"
LEFT_OUT = "recall leaves this out"
UNUSUAL = "not as draive writes it"
SAME_TIME = "same time as the element before: their order is a guess"


@dataclass(frozen=True, slots=True)
class Image:
    """Inline data that says of itself that it is an image: its type, and base64."""

    mime_type: str
    data: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A block or a part of an element.

    ``label`` names what it is (a tool, a type, an address), ``text`` is what it says, and
    ``inner`` are the parts of reasoning and of tool responses.
    """

    kind: Kind
    label: str = ""
    text: str = ""
    inner: tuple["Piece", ...] = ()
    image: Image | None = None
    call: str = ""
    meta: Document = field(default_factory=dict[str, Any])
    notes: tuple[str, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """All that is odd about the piece and what is in it."""
        return self.notes + tuple(mark for piece in self.inner for mark in piece.marks)


@dataclass(frozen=True, slots=True)
class Entry:
    """An element: where it stands, when it was written, who speaks, and what is odd about it."""

    position: int
    created: datetime | None
    who: str
    pieces: tuple[Piece, ...]
    meta: Document
    notes: tuple[str, ...] = ()
    pause: timedelta | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        """All that is odd about the element and its pieces."""
        return self.notes + tuple(mark for piece in self.pieces for mark in piece.marks)


def transcribe(rows: Sequence[tuple[int | None, str]], *, first: int) -> tuple[Entry, ...]:
    """Return the entries of a memory's newest rows.

    Parameters
    ----------
    rows : sequence of tuple
        When each was written (microseconds since 1970; None where that is infinite), and its JSON.
    first : int
        The position of the first of them. If that is not 0, what stands before was not read, and
        nothing before the first turn of a user is judged by it.
    """
    documents = [parsed(document) for _, document in rows]
    unreadable, left_out = _left_out(documents)
    judged = next((i for i, each in enumerate(documents) if _who(each) == "user"), len(rows))
    odd = _odd_calls(documents)
    entries: list[Entry] = []
    before: int | None = None
    for index, ((written, _), document) in enumerate(zip(rows, documents, strict=True)):
        sure = first == 0 or index >= judged
        notes = [
            *([unreadable[index]] if index in unreadable else ()),
            *([LEFT_OUT] if index in left_out and sure else ()),
            *([SAME_TIME] if written is not None and written == before else ()),
        ]
        pause = None
        if written is not None and before is not None:
            pause = timedelta(microseconds=written - before)
        pieces = tuple(
            replace(piece, notes=(*piece.notes, odd[index, number]))
            if (index, number) in odd and (sure or odd[index, number] == UNANSWERED)
            else piece
            for number, piece in enumerate(_blocks(document))
        )
        entries.append(
            Entry(
                position=first + index,
                created=from_epoch_us(written),
                who=_who(document),
                pieces=pieces,
                meta=_meta(_object(document)),
                notes=tuple(notes),
                pause=pause if pause is not None and pause >= PAUSE else None,
            )
        )
        before = written
    return tuple(entries)


def _left_out(documents: Sequence[object]) -> tuple[dict[int, str], set[int]]:
    """Return why draive cannot read some elements; if it can read all, which ones recall omits."""
    unreadable: dict[int, str] = {}
    outlines: list[Outline] = []
    for index, document in enumerate(documents):
        try:
            outlines.append(outline(document))
        except ValueError as error:
            unreadable[index] = f"draive cannot read this, so recall fails ({error})"
    if unreadable:
        return unreadable, set()
    return {}, set(range(len(documents))) - {*replayable(outlines)}


def _odd_calls(documents: Sequence[object]) -> dict[tuple[int, int], str]:
    """Tell which requests nothing answers, and which responses answer nothing.

    A request's response is the next of the same call: providers number calls anew in each turn.
    """
    odd: dict[tuple[int, int], str] = {}
    asked: dict[str, tuple[int, int]] = {}
    for index, document in enumerate(documents):
        for number, value in enumerate(_items(_object(document).get("blocks"))):
            block = _object(value)
            call = _text(block, "identifier")
            if block.get("type") == "tool_request":
                asked[call] = index, number
                odd[index, number] = UNANSWERED
            elif block.get("type") == "tool_response":
                if (request := asked.pop(call, None)) is None:
                    odd[index, number] = UNASKED
                else:
                    del odd[request]
    return odd


def _who(document: object) -> str:
    kind = _object(document).get("type")
    if kind != "model_input":
        return "model" if kind == "model_output" else "unknown"
    blocks = _items(_object(document).get("blocks"))
    answers = any(_object(block).get("type") == "tool_response" for block in blocks)
    return "tool" if answers else "user"


def _blocks(value: object) -> Iterator[Piece]:
    match _object(value):
        case {"type": "model_input" | "model_output", "blocks": list(), **rest} if rest.keys() <= {
            "meta"
        }:
            yield from map(_block, _items(_object(value)["blocks"]))
        case _:
            yield _raw(value)


def _block(value: object) -> Piece:
    """Return a block as a piece; content of one part is that part."""
    block = _object(value)
    match block:
        case {"type": "tool_request", "tool": str(tool), "arguments": arguments}:
            call = _text(block, "identifier")
            return Piece("request", tool, _json(arguments), call=call, meta=_meta(block))
        case {"type": "tool_response", "tool": str(tool), "content": {"parts": list()}}:
            handling = _text(block, "handling")
            return Piece(
                "response",
                label=tool,
                text="" if handling == "response" else handling,
                inner=_parts(block["content"]),
                call=_text(block, "identifier"),
                meta=_meta(block),
            )
        case {"type": "reasoning", "content": {"parts": list()}}:
            return Piece("reasoning", inner=_parts(block["content"]), meta=_meta(block))
        case {"parts": list(), **rest} if rest in ({}, {"type": "content"}):
            inner = _parts(block)
            return inner[0] if len(inner) == 1 else Piece("text", inner=inner)
        case _:
            return _raw(value)


def _parts(content: object) -> tuple[Piece, ...]:
    return tuple(map(_part, _items(_object(content)["parts"])))


def _part(value: object) -> Piece:
    part = _object(value)
    match part:
        case {"text": str(text), **rest} if rest.keys() <= {"meta"}:
            return Piece("text", text=text, meta=_meta(part))
        case {"data": str(data), "mime_type": str(kind), **rest} if rest.keys() <= {"meta"}:
            size = len(data) * 3 // 4 - data.count("=", -2)
            label = f"{kind}, {size:,} bytes"
            return Piece("resource", label, image=Image(kind, data), meta=_meta(part))
        case {"uri": str(uri), **rest} if rest.keys() <= {"mime_type", "meta"}:
            return Piece("reference", uri, _text(part, "mime_type"), meta=_meta(part))
        case {"artifact": artifact, **rest} if rest.keys() <= {"category", "hidden", "meta"}:
            label = _text(part, "category") + (", hidden" if part.get("hidden") is True else "")
            return Piece("artifact", label, _json(artifact), meta=_meta(part))
        case _:
            return _raw(value)


def _raw(value: object) -> Piece:
    return Piece("raw", "stored", _json(value), notes=(UNUSUAL,))


def _meta(document: Document) -> Document:
    match document.get("meta"):
        case None:
            return {}
        case dict():
            members = _object(document["meta"])
            return {key: value for key, value in members.items() if value is not None}
        case other:
            return {"meta": other}


def _object(value: object) -> Document:
    return cast("Document", value) if isinstance(value, dict) else {}


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _text(document: Document, name: str) -> str:
    value = document.get(name)
    return "" if value is None else str(value)


def parsed(text: str) -> object:
    """Return a stored document, or its text where Python cannot read it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # an integer of too many digits, too many levels
        return text


def _json(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except RecursionError:  # which is less patient with indents
        return json.dumps(value, ensure_ascii=False)
