"""ShareGPT conversations, with the roles of LLaMA-Factory for tools."""

import json
from collections.abc import Iterator, Mapping, Sequence

from draive_pg.chat.conversation import Block, Conversation, Message
from draive_pg.chat.export.tools import functions, to_responses
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
        for each in functions(conversation.variables.get("tools"), writer)
    ]
    turns: list[Fields] = []
    places: dict[int, int] = {}
    for index in _order(conversation.messages):
        message = conversation.messages[index]
        places[index] = len(turns)
        turns += ({**writer.about_message(message), **each} for each in _turns(message, writer))
    return {
        **writer.about(conversation, places),
        "conversations": turns,
        **({"tools": json.dumps(tools, ensure_ascii=False)} if tools else {}),
    }


def _order(messages: Sequence[Message]) -> Sequence[int]:
    """Return the indexes of the messages, with results in the order of calls that tells theirs."""
    keys: list[tuple[int, int]] = []
    calls: dict[str | None, int] = {}
    first = 0
    for index, message in enumerate(messages):
        if (result := result_of(message)) is None:
            first = index
            calls = {each.identifier: number for number, each in enumerate(calls_of(message), 1)}
            keys.append((first, 0))
        else:
            keys.append((first, calls.get(result.call, len(calls) + 1)))
    return sorted(range(len(messages)), key=keys.__getitem__)


def _turns(message: Message, writer: Writer) -> Iterator[Fields]:
    writer.check_meta(message)
    writer.check_order(message)
    if has_thought(message):
        writer.left_out.add("reasoning")
    if (result := result_of(message)) is not None:
        if result.failed:
            writer.left_out.add("failures of tools")
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
