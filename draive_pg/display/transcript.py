"""Entries of a transcript from stored rows, with notes about what is wrong with them.

This reads the stored JSON without draive's types, so that it also shows what draive cannot decode.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

from draive_pg.codec.elements import UNTIMED, Document, Outline, outline, replayable
from draive_pg.codec.failures import failed
from draive_pg.codec.timestamps import from_epoch_us
from draive_pg.display.transcript_parts import TranscriptEntry, TranscriptImage, TranscriptPiece

MIN_PAUSE = timedelta(hours=1)  # between two elements, to be shown

UNANSWERED = "no response to this request"
UNREQUESTED = "no request for this response"
NOT_RECALLED = "recall leaves this out"
UNKNOWN_FORMAT = "not as draive writes it"
SAME_TIME = "same time as the element before: their order is a guess"


def transcribe(
    rows: Sequence[tuple[int | None, str]], *, first: int
) -> tuple[TranscriptEntry, ...]:
    """Return the entries of the newest rows of a memory.

    Parameters
    ----------
    rows : sequence of tuple
        Time (microseconds since 1970; None if infinite) and JSON of each element.
    first : int
        Position of the first row. If it is not 0, earlier rows were not read, and no problem that
        depends on them is reported before the first question of a user.
    """
    documents = [parsed(document) for _, document in rows]
    unreadable, not_recalled = _not_recalled(documents)
    complete = next((i for i, each in enumerate(documents) if _who(each) == "user"), len(rows))
    problems, requests = _calls(documents)
    entries: list[TranscriptEntry] = []
    before: int | None = None
    for index, ((stored, _), document) in enumerate(zip(rows, documents, strict=True)):
        meta = _meta(_object(document))
        # the time of an import says nothing about the message
        written = None if meta.get(UNTIMED) == "import" else stored
        certain = first == 0 or index >= complete
        notes = [
            *([unreadable[index]] if index in unreadable else ()),
            *([NOT_RECALLED] if index in not_recalled and certain else ()),
            *([SAME_TIME] if written is not None and written == before else ()),
        ]
        pause = None
        if written is not None and before is not None:
            pause = timedelta(microseconds=written - before)
        pieces: list[TranscriptPiece] = []
        for number, piece in enumerate(_blocks(document)):
            problem = problems.get((index, number), "")
            request = requests.get((index, number))
            if problem and (certain or problem == UNANSWERED):
                pieces.append(replace(piece, notes=(*piece.notes, problem)))
            elif request:
                pieces.append(replace(piece, request=(first + request[0], request[1])))
            else:
                pieces.append(piece)
        entries.append(
            TranscriptEntry(
                position=first + index,
                created=from_epoch_us(written),
                who=_who(document),
                pieces=tuple(pieces),
                meta={name: value for name, value in meta.items() if name != UNTIMED},
                notes=tuple(notes),
                pause=pause if pause is not None and pause >= MIN_PAUSE else None,
            )
        )
        before = written
    return tuple(entries)


def _not_recalled(documents: Sequence[object]) -> tuple[dict[int, str], set[int]]:
    """Return the reasons by unreadable element; if all are readable, those that recall omits."""
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


def _calls(
    documents: Sequence[object],
) -> tuple[dict[tuple[int, int], str], dict[tuple[int, int], tuple[int, int]]]:
    """Return the problems of requests and responses, and the request of each other response.

    Ids may repeat. The first response with an id answers the first request with it in the newest
    element that has one, and so on.
    """
    problems: dict[tuple[int, int], str] = {}
    answered: dict[tuple[int, int], tuple[int, int]] = {}
    requests: dict[str, list[tuple[int, int]]] = {}
    for index, document in enumerate(documents):
        for number, value in enumerate(_items(_object(document).get("blocks"))):
            block = _object(value)
            call = _text(block, "identifier")
            if block.get("type") == "tool_request":
                earlier = requests.get(call)
                if not earlier or earlier[0][0] != index:
                    earlier = requests[call] = []
                earlier.append((index, number))
                problems[index, number] = UNANSWERED
            elif block.get("type") == "tool_response":
                if waiting := requests.get(call):
                    answered[index, number] = waiting.pop(0)
                    del problems[answered[index, number]]
                else:
                    problems[index, number] = UNREQUESTED
    return problems, answered


def _who(document: object) -> str:
    kind = _object(document).get("type")
    if kind != "model_input":
        return "assistant" if kind == "model_output" else "unknown"
    blocks = _items(_object(document).get("blocks"))
    answers = any(_object(block).get("type") == "tool_response" for block in blocks)
    return "tool" if answers else "user"


def _blocks(value: object) -> Iterator[TranscriptPiece]:
    match _object(value):
        case {"type": "model_input" | "model_output", "blocks": list(), **rest} if rest.keys() <= {
            "meta"
        }:
            yield from map(_block, _items(_object(value)["blocks"]))
        case _:
            yield _raw(value)


def _block(value: object) -> TranscriptPiece:
    """Return the piece of a block; for content with a single part, the piece of that part."""
    block = _object(value)
    match block:
        case {"type": "tool_request", "tool": str(tool), "arguments": arguments}:
            call = _text(block, "identifier")
            return TranscriptPiece("request", tool, _json(arguments), call=call, meta=_meta(block))
        case {"type": "tool_response", "tool": str(tool), "content": {"parts": list()}}:
            handling = _text(block, "handling")
            inner = _parts(block["content"])
            said = "".join(piece.text for piece in inner if piece.kind == "text")
            return TranscriptPiece(
                "response",
                label=tool,
                text="" if handling == "response" else handling,
                inner=inner,
                call=_text(block, "identifier"),
                meta=_meta(block),
                failed=failed(handling, said),
            )
        case {"type": "reasoning", "content": {"parts": list()}}:
            return TranscriptPiece("reasoning", inner=_parts(block["content"]), meta=_meta(block))
        case {"parts": list(), **rest} if rest in ({}, {"type": "content"}):
            inner = _parts(block)
            return inner[0] if len(inner) == 1 else TranscriptPiece("text", inner=inner)
        case _:
            return _raw(value)


def _parts(content: object) -> tuple[TranscriptPiece, ...]:
    return tuple(map(_part, _items(_object(content)["parts"])))


def _part(value: object) -> TranscriptPiece:
    part = _object(value)
    match part:
        case {"text": str(text), **rest} if rest.keys() <= {"meta"}:
            return TranscriptPiece("text", text=text, meta=_meta(part))
        case {"data": str(data), "mime_type": str(kind), **rest} if rest.keys() <= {"meta"}:
            size = len(data) * 3 // 4 - data.count("=", -2)
            label = f"{kind}, {size:,} bytes"
            return TranscriptPiece(
                "resource", label, image=TranscriptImage(kind, data), meta=_meta(part)
            )
        case {"uri": str(uri), **rest} if rest.keys() <= {"mime_type", "meta"}:
            return TranscriptPiece("reference", uri, _text(part, "mime_type"), meta=_meta(part))
        case {"artifact": artifact, **rest} if rest.keys() <= {"category", "hidden", "meta"}:
            label = _text(part, "category") + (", hidden" if part.get("hidden") is True else "")
            return TranscriptPiece("artifact", label, _json(artifact), meta=_meta(part))
        case _:
            return _raw(value)


def _raw(value: object) -> TranscriptPiece:
    return TranscriptPiece("raw", "stored", _json(value), notes=(UNKNOWN_FORMAT,))


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
    """Return the value of JSON, or its text if Python cannot parse it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # an integer of too many digits, too many levels
        return text


def _json(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except RecursionError:  # indented encoding needs more stack
        return json.dumps(value, ensure_ascii=False)
