"""ShareGPT conversations, with the roles of LLaMA-Factory for tools."""

import json
from collections.abc import Iterator, Mapping, Sequence

from draive_pg.chat.conversation import Block, Conversation, Message
from draive_pg.chat.export.tools import read_tools, to_responses
from draive_pg.chat.export.writer import (
    Fields,
    Writer,
    arguments_of,
    calls_of,
    has_thought,
    parts_in,
    result_of,
    text_of,
)
from draive_pg.chat.parts import without

SPEAKERS: Mapping[str, str] = {"system": "system", "user": "human", "assistant": "gpt"}


def write(conversation: Conversation, writer: Writer) -> Fields:
    """Write a conversation as ``conversations`` of ``from`` and ``value``, which is text."""
    tools = [
        without(to_responses(each), "type")
        for each in read_tools(conversation.variables.get("tools"))
    ]
    return {
        **writer.about(conversation),
        "conversations": [
            {**writer.about_message(each), **turn}
            for each in conversation.messages
            for turn in _turns(each, writer)
        ],
        **({"tools": json.dumps(tools, ensure_ascii=False)} if tools else {}),
    }


def _turns(message: Message, writer: Writer) -> Iterator[Fields]:
    if has_thought(message):
        writer.left_out.add("reasoning")
    if (result := result_of(message)) is not None:
        yield {"from": "observation", "value": _text(result.parts, writer)}
        return
    parts, calls = parts_in(message.blocks), calls_of(message)
    if parts or not calls:
        yield {"from": SPEAKERS[message.role], "value": _text(parts, writer)}
    if calls:
        found = [{"name": each.tool, "arguments": arguments_of(each)} for each in calls]
        value = found[0] if len(found) == 1 else found
        yield {"from": "function_call", "value": json.dumps(value, ensure_ascii=False)}


def _text(parts: Sequence[Block], writer: Writer) -> str:
    if any(isinstance(part, Mapping) and "text" not in part for part in parts):
        writer.left_out.add("images and files")
    return text_of(parts)
