"""Items of OpenAI's Responses API, as the input of a request."""

import json
from collections.abc import Container, Iterator, Mapping
from typing import Any, cast

from draive_pg.chat.conversation import Block, Call, Conversation, Message, Result, Thought
from draive_pg.chat.export.openai import write_part
from draive_pg.chat.export.tools import read_tools, to_responses
from draive_pg.chat.export.writer import (
    Fields,
    Writer,
    arguments_of,
    calls_of,
    input_of,
    name,
    text_of,
)
from draive_pg.chat.formats.responses import is_item
from draive_pg.chat.parts import without

SUMMARY = "summary_text"
ENCRYPTED = "encrypted_content"
KEPT = ("id", ENCRYPTED)  # of reasoning, which only the API can read


def write(conversation: Conversation, writer: Writer) -> Fields:
    """Write a conversation as a request; a system message at its start is its instructions."""
    messages = dict(enumerate(conversation.messages))
    instructions = ""
    if messages and messages[0].role == "system":
        instructions = text_of(messages.pop(0).blocks)
    custom = {
        call.identifier
        for message in messages.values()
        for call in calls_of(message)
        if call.meta.get("type") == "custom"
    }
    items: list[Fields] = []
    places: dict[int, int] = {}
    for index, message in messages.items():
        places[index] = len(items)
        items += _items(message, custom, writer)
    tools = [to_responses(each) for each in read_tools(conversation.variables.get("tools"))]
    return {
        **writer.about(conversation, places),
        **({"instructions": instructions} if instructions else {}),
        "input": items,
        **({"tools": tools} if tools else {}),
    }


def _items(message: Message, custom: Container[str | None], writer: Writer) -> Iterator[Fields]:
    """Yield the items of a message: reasoning, calls and results stand alone."""
    about = writer.about_message(message)
    writer.check_meta(message, Mapping)
    times = {name: value for name, value in about.items() if name == "created_at"}
    parts: list[Fields] = []
    for block in message.blocks:
        if isinstance(block, Mapping) and not is_item(block.get("artifact")):
            if (part := _part(block, message.role, writer)) is not None:
                parts.append(part)
            continue
        if parts:
            yield _message(message, parts, about)
            parts, about = [], {}
        yield from ({**times, **item} for item in _item(block, custom, writer))
    if parts or not message.blocks:
        yield _message(message, parts, about)


def _message(message: Message, parts: list[Fields], about: Fields) -> Fields:
    match parts:
        case [{"type": "input_text" | "output_text", "text": text, **others}] if not others:
            content: Any = text
        case _:
            content = parts
    return {**about, "type": "message", "role": message.role, "content": content}


def _item(block: Block, custom: Container[str | None], writer: Writer) -> Iterator[Fields]:
    match block:
        case {"artifact": item}:
            yield item
        case Thought():
            texts = [{"type": SUMMARY, "text": text_of([part])} for part in block.parts]
            encrypted = {key: block.meta[key] for key in KEPT if key in block.meta}
            if block.meta.keys() - encrypted.keys():
                writer.left_out.add("signatures of reasoning")
            if writer.metadata or ENCRYPTED in encrypted:
                yield {"type": "reasoning", "summary": texts, **encrypted}
            else:
                writer.left_out.add("reasoning")
        case Call() if block.identifier in custom:
            yield {
                "type": "custom_tool_call",
                "call_id": block.identifier,
                "name": name(block.tool),
                "input": input_of(block),
            }
        case Call():
            arguments = arguments_of(block)
            yield {
                "type": "function_call",
                "call_id": block.identifier,
                "name": name(block.tool),
                "arguments": arguments
                if isinstance(arguments, str)
                else json.dumps(arguments, ensure_ascii=False),
            }
        case Result():
            if block.failed:
                writer.left_out.add("failures of tools")
            called = "custom_tool" if block.call in custom else "function"
            yield {
                "type": f"{called}_call_output",
                "call_id": block.call,
                "output": _output(block, writer),
            }
        case _:
            return


def _output(result: Result, writer: Writer) -> Any:
    parts = [
        found
        for part in result.parts
        if isinstance(part, Mapping) and (found := _part(part, "user", writer)) is not None
    ]
    match parts:
        case []:
            return ""
        case [{"type": "input_text", "text": str(text), **others}] if not others:
            return text
        case _:
            return parts


def _part(part: Mapping[str, Any], role: str, writer: Writer) -> Fields | None:
    """Convert a part of chat completions."""
    if role == "assistant" and part.get("meta") == {"refusal": True}:
        return {"type": "refusal", "refusal": part["text"]}
    written = write_part(part, writer)
    match written and written["type"]:
        case "text":
            kind = "output_text" if role == "assistant" else "input_text"
            return {**cast("Fields", written), "type": kind}
        case "image_url":
            image: Fields = cast("Fields", written)["image_url"]
            default = {} if writer.metadata else {"detail": "auto"}  # which the API requires
            about = {**default, **without(image, "url")}
            return {"type": "input_image", "image_url": image["url"], **about}
        case "file":
            return {"type": "input_file", **cast("Fields", written)["file"]}
        case _:
            return written
