"""Messages of Anthropic's API: ``system``, and turns of user and assistant."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from draive_pg.chat.conversation import Block, Call, Conversation, Message, Result, Thought
from draive_pg.chat.export.tools import read_tools, to_anthropic
from draive_pg.chat.export.writer import (
    Fields,
    Writer,
    alternating,
    arguments_of,
    name,
    system_text,
    text_of,
)
from draive_pg.chat.parts import as_text

UPLOADS = "anthropic://files/"


def write(conversation: Conversation, writer: Writer) -> Fields:
    """Write a conversation as a request.

    Anthropic has one system text, and turns that alternate: system messages are joined, and so are
    messages of the same side. Reasoning without a signature is refused by the API.
    """
    system = system_text(conversation.messages)
    tools = [to_anthropic(each) for each in read_tools(conversation.variables.get("tools"))]
    turns = alternating(conversation.messages)
    spoken = (index for index, each in enumerate(conversation.messages) if each.role != "system")
    places = dict(
        zip(spoken, (n for n, (_, group) in enumerate(turns) for _ in group), strict=True)
    )
    return {
        **writer.about(conversation, places),
        **({"system": system} if system else {}),
        "messages": [_turn(role, messages, writer) for role, messages in turns],
        **({"tools": tools} if tools else {}),
    }


def _turn(role: str, messages: Iterable[Message], writer: Writer) -> Fields:
    messages = list(messages)
    for each in messages:
        writer.check_meta(each)
    if any(each.meta for each in messages[1:]):
        writer.left_out.add("meta")
    blocks = [
        found for each in messages for block in each.blocks for found in _block(block, writer)
    ]
    about = writer.about_message(messages[0])
    match blocks:
        case [{"type": "text", "text": str(text), **others}] if not others:
            return {**about, "role": role, "content": text}
        case _:
            return {**about, "role": role, "content": blocks}


def _block(block: Block, writer: Writer) -> Iterator[Fields]:
    match block:
        case Thought(meta={"signature": str(signature)}):
            yield {"type": "thinking", "thinking": text_of(block.parts), "signature": signature}
        case Thought(meta={"data": str(data)}):
            yield {"type": "redacted_thinking", "data": data}
        case Thought():
            if writer.metadata:
                yield {"type": "thinking", "thinking": text_of(block.parts)}
            else:
                writer.left_out.add("reasoning")
        case Call():
            arguments = arguments_of(block)
            inputs = {"arguments": arguments} if isinstance(arguments, str) else arguments
            called = {"id": block.identifier, "name": name(block.tool), "input": inputs}
            yield {"type": "tool_use", **called}
        case Result():
            yield _result(block, writer)
        case Mapping():
            yield from _part(block, writer)
        case _:
            return


def _result(result: Result, writer: Writer) -> Fields:
    parts = [found for part in result.parts for found in _block(part, writer)]
    match parts:
        case [{"type": "text", "text": text, **others}] if not others:
            content: Any = text
        case _:
            content = parts
    return {
        "type": "tool_result",
        "tool_use_id": result.call,
        "content": content,
        **({"is_error": True} if result.failed else {}),
    }


def _part(part: Mapping[str, Any], writer: Writer) -> Iterator[Fields]:
    if "detail" in (part.get("meta") or {}):
        writer.left_out.add("detail of images")
    match part:
        case {"text": str(text)}:
            if text:  # the API refuses empty text
                yield {"type": "text", "text": text}
        case {"data": str(data), "mime_type": str(kind)}:
            source = {"type": "base64", "media_type": kind, "data": data}
            yield {"type": _kind(kind), "source": source}
        case {"uri": str(uri)} if uri.startswith(UPLOADS):
            source = {"type": "file", "file_id": uri.removeprefix(UPLOADS)}
            yield {"type": _kind(part.get("mime_type") or ""), "source": source}
        case {"uri": str(uri)} if not writer.can_refer_to(uri):
            return
        case {"uri": str(uri)}:
            kind = _kind(part.get("mime_type") or "image/")
            yield {"type": kind, "source": {"type": "url", "url": uri}}
        case {"hidden": True}:
            writer.left_out.add("hidden artifacts")
        case _:
            yield {"type": "text", "text": as_text(part.get("artifact"))}


def _kind(mime_type: str) -> str:
    return "image" if mime_type.startswith("image/") else "document"
