"""Read stored elements and variables back to the common form of chat logs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Literal, NamedTuple, cast

from draive_pg.chat.conversation import Block, Call, Conversation, Message, Result, Thought
from draive_pg.chat.parts import without
from draive_pg.codec.elements import UNTIMED, Document, outline

ENDED = "ends of system messages"  # that another text replaced: the export has both
MARKS = (UNTIMED, "unreadable", "orphaned")


type Kind = Literal["annotation", "variables", "element"]


class Stored(NamedTuple):
    """A stored element, a snapshot of variables, or an annotation.

    Attributes
    ----------
    created : datetime | None
        When it was written; None if Python cannot represent it.
    kind : str
        ``"annotation"``, ``"variables"`` or ``"element"``.
    document : Any
        Its JSON document.
    """

    created: datetime | None
    kind: Kind
    document: Any


def read(identifier: str, rows: Sequence[Stored]) -> Conversation:
    """Read a memory.

    Parameters
    ----------
    identifier : str
        Its identifier.
    rows : Sequence[Stored]
        Its annotations, then its elements and snapshots in order of time.

    Raises
    ------
    ValueError
        If draive cannot read an element; the message names its position.
    """
    messages: list[Message] = []
    variables: Mapping[str, Any] = {}
    ignored: set[str] = set()
    firsts: list[int] = []  # the first message of each element
    for row in rows:
        if row.kind == "element":
            position = len(firsts)
            firsts.append(len(messages))
            try:
                outline(row.document)
            except ValueError as error:
                raise ValueError(f"element {position}: {error}") from error
            messages += _messages(row)
        elif row.kind == "variables":
            found = _object(row.document)
            before, after = _system(variables), _system(found)
            is_kept = after == before or after.startswith(f"{before}\n\n")
            if before and not is_kept:
                while messages and messages[-1].role == "system":
                    messages.pop()  # nothing was said under it
                if any(each.role == "system" for each in messages):
                    ignored.add(ENDED)
            added = after.removeprefix(f"{before}\n\n") if before else after
            if added and after != before:
                messages.append(Message("system", [{"text": added, "meta": {}}], row.created))
            variables = found
    annotations = [_annotation(row.document, firsts) for row in rows if row.kind == "annotation"]
    return Conversation(
        messages,
        identifier,
        None,
        without(variables, "system"),
        frozenset(ignored),
        annotations=annotations,
    )


def _annotation(document: Mapping[str, Any], firsts: Sequence[int]) -> Mapping[str, Any]:
    """Return an annotation with the number of a message in place of the position."""
    position = document["position"]
    rest = without(document, "position")
    return rest if position is None else {"message": firsts[position], **rest}


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _system(variables: Mapping[str, Any]) -> str:
    return text if isinstance(text := variables.get("system"), str) else ""


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
