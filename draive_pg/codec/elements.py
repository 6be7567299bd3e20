"""Context elements as JSON documents in the shape of draive 0.89, without importing draive.

An element is ``{"type": "model_input" | "model_output", "blocks": [...], "meta": {...}}``. Blocks
of an input are content and tool responses, those of an output content, reasoning and tool requests.
Content is a list of parts: text, data, references and artifacts.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from draive_pg.codec.json import decode, encode
from draive_pg.codec.validation import shown

type Document = Mapping[str, Any]

CALLS = ("tool request", "tool response")
HANDLINGS = ("response", "error", "output", "output_extension", "detached")

# Member of the meta of an imported element whose message has no time: ``"log"`` if its `created`
# comes from other times of the log, ``"import"`` if the log has none and it is that of the import.
UNTIMED = "untimed"

type Untimed = Literal["log", "import"]


# --- Building


def model_input(*blocks: Document, meta: Document | None = None) -> Document:
    """Build the element of a user's message, or of tool responses."""
    return {"type": "model_input", "blocks": [*blocks], "meta": meta or {}}


def model_output(*blocks: Document, meta: Document | None = None) -> Document:
    """Build the element of a model's answer."""
    return {"type": "model_output", "blocks": [*blocks], "meta": meta or {}}


def content(*parts: Document) -> Document:
    """Build a content block of parts."""
    return {"type": "content", "parts": [*parts]}


def reasoning(thought: Document) -> Document:
    """Build a reasoning block of a content block."""
    return {"type": "reasoning", "content": thought, "meta": {}}


def tool_request(identifier: str, tool: str, arguments: Document) -> Document:
    """Build a tool request block."""
    return {
        "type": "tool_request",
        "identifier": identifier,
        "tool": tool,
        "arguments": arguments,
        "meta": {},
    }


def tool_response(identifier: str, tool: str, result: Document) -> Document:
    """Build a tool response block of a content block."""
    return {
        "type": "tool_response",
        "identifier": identifier,
        "tool": tool,
        "content": result,
        "handling": "response",
        "meta": {},
    }


def text_part(text: str, meta: Document | None = None) -> Document:
    """Build a text part."""
    return {"text": text, "meta": meta or {}}


def data_part(data: bytes, mime_type: str, meta: Document | None = None) -> Document:
    """Build a part of binary data."""
    return {"data": b64encode(data).decode(), "mime_type": mime_type, "meta": meta or {}}


def reference_part(uri: str, mime_type: str | None, meta: Document | None = None) -> Document:
    """Build a part that refers to a URI."""
    return {"uri": uri, "mime_type": mime_type, "meta": meta or {}}


# --- Reading


class Outline(NamedTuple):
    """What decides whether an element can be replayed to a model.

    Attributes
    ----------
    is_input : bool
        True for a model input.
    calls : sequence of str
        Identifiers of the tool requests of an output, or of the tool responses of an input.
    """

    is_input: bool
    calls: Sequence[str]

    @property
    def starts_turn(self) -> bool:
        """True for an input without tool responses."""
        return self.is_input and not self.calls


def outline(document: object) -> Outline:
    """Validate an element as draive 0.89 does, and return its outline.

    Raises
    ------
    ValueError
        If draive 0.89 cannot read the element; the message says where.
    """
    element = _object(document)
    kind = element.get("type")
    if not isinstance(kind, str) or kind not in BLOCKS:
        raise ValueError(f"type must be model_input or model_output, not {shown(kind)}")
    blocks = element.get("blocks")
    if not isinstance(blocks, list) and blocks != {}:  # draive takes an empty object for a list
        raise ValueError(f"blocks must be a list, not {shown(blocks)}")
    if not _has_meta(element):
        raise ValueError(f"meta must be an object, not {shown(element['meta'])}")
    calls: list[str] = []
    known = BLOCKS[kind]
    for index, block in enumerate(cast("Sequence[object]", blocks)):
        # The first matching kind counts, as in draive: some documents match several.
        for name, matches in known.items():
            if matches(block):
                if name in CALLS:
                    calls.append(_object(block)["identifier"])
                break
        else:
            raise ValueError(f"blocks[{index}] is no {' or '.join(known)}")
    return Outline(kind == "model_input", tuple(calls))


def encode_document(document: Document, what: str) -> str:
    """Encode the document of an element as JSON text, after the validation of `outline`.

    Raises
    ------
    TypeError, ValueError
        If draive 0.89 could not read it, or PostgreSQL not store it; the message names the place.
    """
    text = encode(document, what)
    try:
        outline(decode(text))
    except ValueError as error:
        raise ValueError(f"{what} is no element: {error}") from None
    return text


def _object(value: object) -> Document:
    return cast("Document", value) if isinstance(value, dict) else {}


def _has_meta(document: Document) -> bool:
    return "meta" not in document or isinstance(document["meta"], dict)


def _is_content(value: object) -> bool:
    block = _object(value)
    parts = block.get("parts")
    return block.get("type", "content") == "content" and (
        all(map(_is_part, cast("list[object]", parts))) if isinstance(parts, list) else parts == {}
    )


def _is_part(value: object) -> bool:
    part = _object(value)
    return _has_meta(part) and (
        isinstance(part.get("text"), str)
        or (isinstance(part.get("data"), str) and isinstance(part.get("mime_type"), str))
        or (isinstance(part.get("uri"), str) and isinstance(part.get("mime_type"), str | None))
        or (
            isinstance(part.get("category"), str)
            and isinstance(part.get("artifact"), dict)
            and isinstance(part.get("hidden", False), int)
        )
    )


def _is_reasoning(value: object) -> bool:
    block = _object(value)
    return (
        block.get("type", "reasoning") == "reasoning"
        and _is_content(block.get("content"))
        and _has_meta(block)
    )


def _is_call(block: Document) -> bool:
    return (
        isinstance(block.get("identifier"), str)
        and isinstance(block.get("tool"), str)
        and _has_meta(block)
    )


def _is_request(value: object) -> bool:
    block = _object(value)
    return (
        block.get("type", "tool_request") == "tool_request"
        and _is_call(block)
        and isinstance(block.get("arguments"), dict)
    )


def _is_response(value: object) -> bool:
    block = _object(value)
    return (
        block.get("type", "tool_response") == "tool_response"
        and _is_call(block)
        and _is_content(block.get("content"))
        and block.get("handling") in HANDLINGS
    )


BLOCKS: Mapping[str, Mapping[str, Callable[[object], bool]]] = {
    "model_input": {"content": _is_content, "tool response": _is_response},
    "model_output": {
        "content": _is_content,
        "reasoning": _is_reasoning,
        "tool request": _is_request,
    },
}


# --- Replaying


def newest(elements: Sequence[Outline], limit: int | None) -> int:
    """Return the index of the first of the newest elements.

    If no user turn is among the newest ``limit`` elements, they begin at the newest user turn.
    """
    first = 0 if limit is None else max(0, len(elements) - limit)
    turns = (i for i in reversed(range(len(elements))) if elements[i].starts_turn)
    return min(first, next(turns, first))


def replayable(elements: Sequence[Outline]) -> list[int]:
    """Return the indexes of the elements that model APIs accept as a conversation, in order.

    It starts with a user turn (an input without tool responses). An output is left out together
    with its answers if two of its tool requests have the same identifier, or if the inputs that
    follow it directly do not answer all of them. An input is left out if one of its tool responses
    answers no request, or one that is already answered.
    """
    kept: list[int] = []
    index, end = 0, len(elements)
    while index < end:
        first, (is_input, calls) = index, elements[index]
        index += 1
        if is_input:
            if not calls:
                kept.append(first)
            continue
        while index < end and elements[index].is_input and elements[index].calls:
            index += 1
        if kept:
            kept += _answered(elements, first, index) if calls else (first,)
    return kept


def _answered(elements: Sequence[Outline], first: int, end: int) -> Sequence[int]:
    """Return the indexes of an output and its answers, or none if it is left out."""
    calls = elements[first].calls
    unanswered = set(calls)
    answers = [first]
    for index in range(first + 1, end):
        calls_answered = elements[index].calls
        answered = set(calls_answered)
        if len(answered) == len(calls_answered) and answered <= unanswered:
            unanswered -= answered
            answers.append(index)
    return answers if len({*calls}) == len(calls) and not unanswered else ()
