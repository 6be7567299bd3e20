"""pydantic-ai message history: requests and responses of parts."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast
from urllib.parse import quote

from draive_pg.chat.conversation import Block, Call, Conversation, Message, Result, Thought
from draive_pg.chat.formats.format import Fields, Format, Reader, items
from draive_pg.chat.parts import artifact, as_text, media, read_result, rest
from draive_pg.chat.times import read_time
from draive_pg.codec.elements import reference_part, text_part
from draive_pg.codec.validation import shown

INSTRUCTIONS = "instructions"
BINARY = ("kind", "url", "data", "media_type", "force_download")
MEDIA = ("image-url", "audio-url", "video-url", "document-url")
ASKED = (
    "system-prompt",
    "user-prompt",
    "tool-return",
    "retry-prompt",
    "retry-feedback",
    "speech",
)
FAILED = ("failed", "denied", "interrupted", "retried")


def is_message(value: Any) -> bool:
    """Return True for a request or response."""
    match value:
        case {"kind": "request" | "response", "parts": list()}:
            return True
        case _:
            return False


def _messages(fields: Fields) -> Sequence[Message]:
    if fields["kind"] == "response":
        blocks = [block for part in fields["parts"] for block in _answer(part)]
        meta = rest(
            {"model": fields.get("model_name"), "usage": rest(fields.get("usage") or {}), **fields},
            *("kind", "parts", "timestamp", "model_name", "state"),
        )
        return [Message("assistant", blocks, read_time(fields.get("timestamp")), meta, "response")]
    messages = [message for part in fields["parts"] for message in _question(part)]
    meta = rest(fields, "kind", "parts", "timestamp", INSTRUCTIONS, "state")
    spoken = next((n for n, each in enumerate(messages) if each.role != "system"), None)
    if meta and spoken is not None:
        messages[spoken] = replace(messages[spoken], meta={**meta, **messages[spoken].meta})
    if isinstance(text := fields.get(INSTRUCTIONS), str) and text:
        messages.insert(0, Message("system", [text_part(text)], label=INSTRUCTIONS))
    return messages


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    """Read a history, in which each request repeats the instructions."""
    others = {
        f"{part.get('part_kind')} parts"
        for each in filter(is_message, fields["messages"])
        for part in each["parts"]
        if each["kind"] == "request" and part.get("part_kind") not in ASKED
    }
    for found in reader.logged(fields):
        current: object = None
        messages: list[Message] = []
        for message in found.messages:
            if message.label != INSTRUCTIONS or message.blocks != current:
                messages.append(message)
            current = message.blocks if message.label == INSTRUCTIONS else current
        yield replace(found, messages=messages, ignored=found.ignored | others)


def _question(part: Any) -> Iterator[Message]:
    created = read_time(part.get("timestamp"))
    match part:
        case {"part_kind": "system-prompt", "content": str(text)}:
            yield Message("system", [text_part(text)], created, label="system-prompt")
        case {"part_kind": "user-prompt", "content": found}:
            yield Message("user", list(_content(found)), created, label="user-prompt")
        case {"part_kind": "tool-return", "tool_name": tool, "content": found}:
            yield Message("tool", [_result(tool, found, part)], created, label="tool-return")
        case {"part_kind": "retry-prompt", "tool_name": str(tool), "content": found}:
            call, text = part.get("tool_call_id"), read_result(found)
            result = Result(text, call, tool, failed=True, meta=_meta(part))
            yield Message("tool", [result], created, label="retry-prompt")
        case {"part_kind": "retry-prompt" | "retry-feedback" as kind, "content": found}:
            text = text_part(as_text(found))
            yield Message("user", [text], created, {"retry": True}, kind)
        case {"part_kind": "speech"}:
            yield Message("user", list(_speech(part)), created, label="speech")
        case {"part_kind": str(kind)} if kind not in ASKED:
            return
        case _:
            raise ValueError(f"expected a part of a request, found {shown(part)}")


def _answer(part: Any) -> Iterator[Block]:
    match part:
        case {"part_kind": "text", "content": str(text)}:
            yield text_part(text, _meta(part))
        case {"part_kind": "thinking", "content": found}:
            parts = [text_part(found)] if found else []
            yield Thought(parts, _meta(part))
        case {"part_kind": "tool-call" | "builtin-tool-call", "tool_name": str(tool)}:
            yield Call(tool, part.get("args"), part.get("tool_call_id"), _meta(part))
        case {"part_kind": "builtin-tool-return", "tool_name": str(tool), "content": found}:
            yield _result(tool, found, part)
        case {"part_kind": "speech"}:
            yield from _speech(part)
        case {"part_kind": "file", "content": found}:
            yield from _content(found)
        case {"part_kind": str(kind)}:
            yield artifact(kind, part)
        case _:
            raise ValueError(f"expected a part of a response, found {shown(part)}")


def _result(tool: Any, found: Any, part: Fields) -> Result:
    has_media = isinstance(found, list) and any(map(_is_media, found))
    content = list(_content(found)) if has_media or _is_media(found) else read_result(found)
    return Result(
        content, part.get("tool_call_id"), tool, part.get("outcome") in FAILED, _meta(part)
    )


def _speech(part: Fields) -> Iterator[Block]:
    if isinstance(text := part.get("transcript"), str) and text:
        yield text_part(text, _meta(part))
    if part.get("audio"):
        yield from _content(part["audio"])


def _meta(part: Fields) -> Fields:
    """Return the fields of a part that are not read."""
    read = ("part_kind", "content", "args", "tool_name", "tool_call_id", "timestamp")
    return rest(part, *read, "outcome", "speaker", "transcript", "audio")


def _is_media(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("kind") in (*MEDIA, "binary", "uploaded-file")


def _content(value: Any) -> Iterator[Block]:
    for part in cast("Sequence[Any]", value if isinstance(value, list) else [value]):
        match part:
            case str():
                yield text_part(part)
            case {"kind": str(kind), "url": str(url)} if kind in MEDIA:
                yield reference_part(url, part.get("media_type"), rest(part, *BINARY))
            case {"kind": "binary", "data": str(data)}:
                # base64 with the alphabet of URLs
                data = data.replace("-", "+").replace("_", "/")
                yield media(data, part.get("media_type"), rest(part, *BINARY))
            case {"kind": "uploaded-file", "file_id": str(identifier)}:
                uri = f"{part.get('provider_name')}://files/{quote(identifier, safe='')}"
                meta = rest(part, *BINARY, "file_id", "provider_name")
                yield reference_part(uri, part.get("media_type"), meta)
            case {"kind": "text-content", "content": str(text)}:
                yield text_part(text, rest(part, "kind", "content"))
            case {"kind": "cache-point"}:
                continue
            case Mapping():
                yield text_part(as_text(part))
            case _:
                raise ValueError(f"expected text or media, found {shown(part)}")


FORMAT = Format(
    "pydantic-ai",
    "pydantic-ai message history",
    (items("messages", "objects with a kind (request, response) and parts", is_message),),
    _read,
    is_message=is_message,
    messages=_messages,
)
