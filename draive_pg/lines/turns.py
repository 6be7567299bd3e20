"""Convert elements of draive 0.89 to turns and contexts of later releases, and back.

===================  =============================================================================
draive 0.89          draive 0.100 and later
===================  =============================================================================
input of the user    user turn
output               assistant turn, or a part of one
tool responses       part of the assistant turn with the tool requests
===================  =============================================================================

An assistant turn has one time and one meta; only the tool requests and responses in it have times
of their own. An element is therefore added to the turn before it only if it can be restored from
the result, and begins a new turn otherwise. draive makes the same model context of both.

All functions return what they leave out or change as a list of `Loss`.
"""

# JSON of any shape is read here; `outline` validates its types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import UTC, datetime
from itertools import accumulate, groupby
from typing import Any, LiteralString, NamedTuple
from uuid import UUID, uuid5

from draive_pg.codec.elements import Document, outline
from draive_pg.codec.validation import shown

NAMESPACE = UUID("0ad2c4f2-6a6b-5c0e-9f0b-4c8f3c5d7f7e")
CATEGORIES = {"tool_request": "ModelToolRequest", "tool_response": "ModelToolResponse"}

# draive reads no other handling of a response since 0.102, and no handling of a request before.
STATUSES = {"response": "success", "error": "error"}

# Member of the meta of a block that keeps another handling.
HANDLING: LiteralString = "draive_pg_handling"

TURN = {"identifier", "created", "turn", "content", "meta"}
BLOCKS = {
    "content": {"type", "parts"},
    "reasoning": {"type", "content", "meta"},
    "tool_request": {"type", "identifier", "tool", "arguments", "meta"},
    "tool_response": {"type", "identifier", "tool", "content", "handling", "meta"},
}
# The members of a part by the first of them; draive refuses any other since 0.100.
PARTS = {
    "text": {"text", "meta"},
    "data": {"data", "mime_type", "meta"},
    "uri": {"uri", "mime_type", "meta"},
    "category": {"category", "artifact", "hidden", "meta"},
}


class Loss(NamedTuple):
    """Something that a conversion leaves out or changes.

    Attributes
    ----------
    position : int
        Number of the element or turn that has it, from 0.
    reason : str
        What is left out or changed.
    """

    position: int
    reason: str


class Timed(NamedTuple):
    """An element and its time."""

    created: datetime
    document: Document


type Reasons = list[str]


# --- Elements to turns


def turn_identifier(thread: str, position: int) -> UUID:
    """Return the identifier of the turn of a thread that begins with the element at a position."""
    return uuid5(NAMESPACE, f"{position}/{thread}")


def turns_from_elements(
    thread: str, elements: Iterable[Timed], *, start: int = 0, used: Iterable[str] = ()
) -> tuple[Sequence[Document], Sequence[Loss]]:
    """Convert elements to payloads of turns.

    Parameters
    ----------
    thread : str
        Identifier of the conversation, from which the identifiers of its turns are derived.
    elements : iterable of Timed
        Elements in the order of their times.
    start : int
        Position of the first element in the conversation.
    used : iterable of str
        Identifiers of the turns before.

    Raises
    ------
    ValueError
        If draive 0.89 cannot read an element; the message says which, and where.
    """
    turns: list[_Turn] = []
    losses: list[Loss] = []
    known = {*used}
    for position, (created, element) in enumerate(elements, start):
        reasons: Reasons = []
        for number, piece in enumerate(_pieces(_checked(element, position), created, reasons)):
            if turns and turns[-1].can_restore(piece):
                turns[-1].add(piece)
                if "identifier" in element:
                    reasons.append("identifier of an element in an assistant turn")
            else:
                seed = f"{thread}/{number}" if number else thread
                identifier = _uuid(element.get("identifier")) if number == 0 else None
                if str(identifier) in known:
                    reasons.append("identifier that an element before has")
                    identifier = None
                turns.append(_Turn(identifier or turn_identifier(seed, position), piece))
                known.add(str(turns[-1].identifier))
        losses += (Loss(position, reason) for reason in reasons)
    return [turn.document() for turn in turns], losses


class _Piece(NamedTuple):
    """The part of a turn that is made of one element."""

    speaker: str
    is_input: bool
    created: datetime
    meta: Document
    parts: Sequence[Document]


class _Turn:
    """A turn to which elements are added."""

    def __init__(self, identifier: UUID, piece: _Piece) -> None:
        self.identifier = identifier
        self.newest = piece
        self.parts = [*piece.parts]

    def can_restore(self, piece: _Piece) -> bool:
        """Return whether both the turn and a piece can be restored if the piece is added."""
        return (
            self.newest.speaker == piece.speaker == "assistant"
            and self.newest.is_input != piece.is_input
            and self.newest.meta == piece.meta
            and any("event" in part for part in self.newest.parts)  # which keeps the time
            and bool(piece.parts)
        )

    def add(self, piece: _Piece) -> None:
        self.newest = piece
        self.parts += piece.parts

    def document(self) -> Document:
        return {
            "identifier": str(self.identifier),
            "created": self.newest.created.isoformat(),
            "turn": self.newest.speaker,
            "content": self.parts,
            "meta": self.newest.meta,
        }


def _pieces(element: Document, created: datetime, reasons: Reasons) -> Iterator[_Piece]:
    meta = element.get("meta", {})
    parts = [_turn_part(block, created, reasons) for block in _blocks(element, reasons)]
    if element["type"] == "model_output":
        yield _Piece("assistant", is_input=False, created=created, meta=meta, parts=parts)
        return
    runs = [(event, [*run]) for event, run in groupby(parts, key=lambda part: "event" in part)]
    if len(runs) > 1:
        reasons.append("one input with both content and tool responses, which becomes several")
    for is_event, run in runs or [(False, [])]:
        speaker = "assistant" if is_event else "user"
        yield _Piece(speaker, is_input=True, created=created, meta=meta, parts=run)


def _turn_part(block: Document, created: datetime, reasons: Reasons) -> Document:
    new = _new_block(block, reasons)
    if block["type"] not in CATEGORIES:
        return new
    category = CATEGORIES[block["type"]]
    return {
        "event": block["type"],
        "created": created.isoformat(),
        "content": {"category": category, "artifact": new, "hidden": False, "meta": {}},
        "meta": {},
    }


# --- Turns to elements


def elements_from_turns(
    thread: str, turns: Iterable[Document]
) -> tuple[Sequence[Timed], Sequence[Loss]]:
    """Convert payloads of turns to elements, of which draive reads the same model context.

    Their times are those of the turns and of the tool requests and responses in them. Where these
    are not in order, an input gets the time of the element after it (draive stores the time of the
    answer for the question, too), and other elements that of the element before.

    Parameters
    ----------
    thread : str
        Identifier of the conversation.
    turns : iterable of documents
        Payloads in order, of any draive since 0.100.

    Raises
    ------
    ValueError
        If a turn is not as draive writes it; the message says which.
    """
    elements: list[Timed] = []
    sources: list[int] = []  # the turn of each element
    losses: list[Loss] = []
    for position, turn in enumerate(turns):
        reasons: Reasons = []
        try:
            if _uuid(turn["identifier"]) != turn_identifier(thread, len(elements)):
                reasons.append("identifier of a turn")
            made = [*_elements(turn, reasons)]
            for each in made:
                outline(each.document)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _unreadable("turn", position, error) from error
        elements += made
        sources += [position] * len(made)
        losses += (Loss(position, reason) for reason in reasons)
    ordered = _ascending(elements)
    losses += (
        Loss(position, "time that is not in order")
        for position, old, new in zip(sources, elements, ordered, strict=True)
        if old.created != new.created
    )
    return ordered, losses


def _elements(turn: Document, reasons: Reasons) -> Iterator[Timed]:
    created = _time(turn["created"])
    meta = turn.get("meta", {})
    parts = turn["content"]
    _known(turn, TURN, "a turn", reasons)
    if turn["turn"] == "user":
        blocks = [_old_block(part, reasons) for part in parts]
        yield Timed(created, _element("input", blocks, meta))
        return
    if turn["turn"] != "assistant":
        raise ValueError(f"turn must be user or assistant, not {shown(turn['turn'])}")
    pieces = [piece for part in parts if (piece := _turn_piece(part, created, reasons))]
    for responds, run in groupby(pieces, key=lambda piece: piece[0]):
        _, times, blocks = zip(*run, strict=True)
        if len({time for time in times if time != created}) > 1:
            reasons.append("times of several tool events in one element")
        kind = "input" if responds else "output"
        yield Timed(min(times), _element(kind, blocks, meta))
    if not parts:
        yield Timed(created, _element("output", [], meta))


def _turn_piece(
    part: Document, created: datetime, reasons: Reasons
) -> tuple[bool, datetime, Document] | None:
    """Return whether a part is a tool response, its time, and its block; None without one."""
    if "event" not in part:
        return False, created, _old_block(part, reasons)
    wrapper = part.get("content")
    if part["event"] not in CATEGORIES or wrapper is None:
        reasons.append(f"event {shown(part['event'])}")
        return None
    if part.get("meta") or wrapper.get("meta") or wrapper.get("hidden"):
        reasons.append("meta of a tool event")
    time = _time(part["created"]) if "created" in part else created
    return part["event"] == "tool_response", time, _old_block(wrapper["artifact"], reasons)


def _ascending(elements: Sequence[Timed]) -> Sequence[Timed]:
    """Return elements with times in order."""
    times = [each.created for each in elements]
    for index in reversed(range(len(times) - 1)):
        if elements[index].document["type"] == "model_input":
            times[index] = min(times[index], times[index + 1])
    documents = (each.document for each in elements)
    return [*map(Timed, accumulate(times, max), documents)]


# --- Contexts of agents


def context_from_elements(
    elements: Iterable[Document],
) -> tuple[Sequence[Document], Sequence[Loss]]:
    """Convert elements to the context of an agent of draive 0.113 or later.

    Raises
    ------
    ValueError
        If draive 0.89 cannot read an element; the message says which, and where.
    """
    context: list[Document] = []
    losses: list[Loss] = []
    for position, element in enumerate(elements):
        reasons: Reasons = []
        kind = _checked(element, position)["type"].removeprefix("model_")
        blocks = [_new_block(block, reasons) for block in _blocks(element, reasons)]
        context.append({"kind": kind, kind: blocks, "meta": element.get("meta", {})})
        losses += (Loss(position, reason) for reason in reasons)
    return context, losses


def elements_from_context(
    context: Iterable[Document],
) -> tuple[Sequence[Document], Sequence[Loss]]:
    """Convert the context of an agent to elements.

    Raises
    ------
    ValueError
        If an element is not as draive writes it; the message says which.
    """
    elements: list[Document] = []
    losses: list[Loss] = []
    for position, new in enumerate(context):
        reasons: Reasons = []
        try:
            kind = "input" if "input" in new else "output"
            _known(new, {"kind", kind, "meta"}, "an element", reasons)
            blocks = [_old_block(block, reasons) for block in new[kind]]
            element = _element(kind, blocks, new.get("meta", {}))
            outline(element)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _unreadable("element", position, error) from error
        elements.append(element)
        losses += (Loss(position, reason) for reason in reasons)
    return elements, losses


# --- Blocks


def _new_block(block: Document, reasons: Reasons) -> Document:
    """Convert a block of draive 0.89."""
    kind = block["type"]
    _known(block, BLOCKS[kind], f"a {kind.replace('_', ' ')}", reasons)
    if kind == "content":
        return _content(block, reasons)
    meta = block.get("meta", {})
    if kind == "reasoning":
        return {"reasoning": _content(block["content"], reasons), "meta": meta}
    call = {"identifier": block["identifier"], "tool": block["tool"]}
    if kind == "tool_request":
        meta, handling = _without_handling(meta)
        request = {**call, "arguments": block["arguments"], "meta": meta}
        return {**request, "handling": handling} if handling else request
    handling = block["handling"]
    if handling not in STATUSES:
        meta = {**meta, HANDLING: handling}
    status = STATUSES.get(handling, "success")
    return {**call, "status": status, "content": _content(block["content"], reasons), "meta": meta}


def _old_block(block: Document, reasons: Reasons) -> Document:
    """Convert a block of any draive since 0.100, which its members tell apart."""
    meta = block.get("meta", {})
    if "parts" in block:
        return _content(block, reasons)
    if "reasoning" in block:
        _known(block, {"reasoning", "meta"}, "a reasoning", reasons)
        thought = _content(block["reasoning"], reasons)
        return {"type": "reasoning", "content": thought, "meta": meta}
    call = {"identifier": block["identifier"], "tool": block["tool"]}
    if "arguments" in block:
        _known(block, BLOCKS["tool_request"] | {"handling"}, "a tool request", reasons)
        if block.get("handling"):
            meta = {**meta, HANDLING: block["handling"]}
        return {"type": "tool_request", **call, "arguments": block["arguments"], "meta": meta}
    _known(block, BLOCKS["tool_response"] | {"status", "result"}, "a tool response", reasons)
    failed = block.get("status") == "error"
    meta, kept = _without_handling(meta)
    return {
        "type": "tool_response",
        **call,
        # draive 0.100 and 0.101 have `result` and `handling`.
        "content": _content(block["content" if "content" in block else "result"], reasons),
        "handling": "error" if failed else block.get("handling") or kept or "response",
        "meta": meta,
    }


def _without_handling(meta: Document) -> tuple[Document, Any]:
    """Return the meta of a block without the handling that it keeps, and that handling."""
    if HANDLING not in meta:
        return meta, None
    return {name: value for name, value in meta.items() if name != HANDLING}, meta[HANDLING]


def _element(kind: str, blocks: Iterable[Document], meta: Document) -> Document:
    return {"type": f"model_{kind}", "blocks": [*blocks], "meta": meta}


def _content(block: Document, reasons: Reasons) -> Document:
    _known(block, BLOCKS["content"], "a content", reasons)
    return {"type": "content", "parts": [_part(part, reasons) for part in block["parts"]]}


def _part(part: Document, reasons: Reasons) -> Document:
    members = next((known for member, known in PARTS.items() if member in part), set[str]())
    return _known(part, members, "a part", reasons)


# --- Common


def _checked(element: Document, position: int) -> Document:
    """Return an element that draive 0.89 can read, or raise ValueError."""
    try:
        outline(element)
    except ValueError as error:
        raise _unreadable("element", position, error) from error
    return element


def _blocks(element: Document, reasons: Reasons) -> Sequence[Document]:
    """Return the blocks of an element, with their types."""
    _known(element, {"type", "blocks", "meta", "identifier"}, "an element", reasons)
    blocks: Sequence[Document] = element["blocks"]
    return [block if "type" in block else {"type": _type(block), **block} for block in blocks]


def _type(block: Document) -> str:
    """Return the type of a block without one, which draive takes for its default."""
    if "parts" in block:
        return "content"
    if "arguments" in block:
        return "tool_request"
    return "tool_response" if "handling" in block else "reasoning"


def _known(document: Document, members: Set[str], what: str, reasons: Reasons) -> Document:
    """Return a document without unknown members."""
    unknown = document.keys() - members
    if not unknown:
        return document
    reasons += (f"member {shown(name)} of {what}" for name in sorted(unknown))
    return {name: value for name, value in document.items() if name in members}


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _unreadable(what: str, position: int, error: Exception) -> ValueError:
    said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return ValueError(f"{what} {position} cannot be read ({said:.120})")
