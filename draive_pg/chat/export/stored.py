"""Read stored elements and variables back to the common form of chat logs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple, cast

from draive_pg.chat.conversation import Block, Call, Conversation, Message, Result, Thought
from draive_pg.chat.parts import without
from draive_pg.codec.elements import UNTIMED, Document, outline

MARKS = (UNTIMED, "unreadable", "orphaned")


class Stored(NamedTuple):
    """A stored element, or a snapshot of variables.

    Attributes
    ----------
    created : datetime | None
        When it was written; None if Python cannot represent it.
    is_element : bool
        False for a snapshot.
    document : Any
        Its JSON document.
    """

    created: datetime | None
    is_element: bool
    document: Any


def read(identifier: str, rows: Sequence[Stored]) -> Conversation:
    """Read a memory.

    Parameters
    ----------
    identifier : str
        Its identifier.
    rows : Sequence[Stored]
        Its elements and snapshots in order of time.

    Raises
    ------
    ValueError
        If draive cannot read an element; the message names its position.
    """
    messages: list[Message] = []
    variables: Mapping[str, Any] = {}
    position = 0
    for row in rows:
        if row.is_element:
            try:
                outline(row.document)
            except ValueError as error:
                raise ValueError(f"element {position}: {error}") from error
            messages += _messages(row)
            position += 1
        else:
            found = _object(row.document)
            if text := _added(variables.get("system"), found.get("system")):
                messages.append(Message("system", [{"text": text, "meta": {}}], row.created))
            variables = found
    return Conversation(messages, identifier, None, without(variables, "system"))


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _added(before: object, after: object) -> str | None:
    """Return what a snapshot added to the system text, or the new text."""
    if not isinstance(after, str) or after == before:
        return None
    return after.removeprefix(f"{before}\n\n") if isinstance(before, str) else after


def _messages(row: Stored) -> Iterator[Message]:
    element = cast("Document", row.document)
    meta = _meta(element)
    created = None if UNTIMED in meta else row.created
    meta = without(meta, *MARKS)
    if element["type"] == "model_output":
        spoken = [each for block in element["blocks"] or () for each in _output(block)]
        yield Message("assistant", spoken, created, meta)
        return
    blocks: Sequence[Document] = element["blocks"] or ()
    for responds, run in groupby(blocks, _is_response):
        if not responds:
            parts = [part for block in run for part in block["parts"] or ()]
            yield Message("user", parts, created, meta)
            meta = {}
            continue
        for block in run:
            result = _result(block)
            time = _time(result.meta.get("created")) or created
            result_meta = without(result.meta, "created")
            yield Message(
                "tool",
                [Result(result.parts, result.call, result.tool, result.failed, result_meta)],
                time,
                meta,
            )
            meta = {}
    if not blocks:
        yield Message("user", (), created, meta)


def _is_response(block: Document) -> bool:
    return "handling" in block


def _output(block: Document) -> Iterator[Block]:
    """Yield the blocks of a block of an output: the parts of content, reasoning, or a request."""
    if "parts" in block:
        yield from block["parts"] or ()
    elif "content" in block:
        yield Thought(block["content"]["parts"] or (), _meta(block))
    else:
        yield Call(block["tool"], block["arguments"], block["identifier"], _meta(block))


def _result(block: Document) -> Result:
    parts = block["content"]["parts"] or ()
    failed = block["handling"] == "error"
    return Result(parts, block["identifier"], block["tool"], failed, _meta(block))


def _meta(document: Document) -> Mapping[str, Any]:
    return document.get("meta") or {}


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
