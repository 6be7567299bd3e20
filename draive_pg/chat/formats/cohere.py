"""Cohere, version 1 of its API: ``chat_history`` of roles and messages, and ``message``."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from draive_pg.chat.conversation import Block, Conversation, Message, Result
from draive_pg.chat.formats.format import Fields, Format, Reader, has, items, with_keys
from draive_pg.chat.parts import read_result
from draive_pg.chat.roles import read_message, system, text_message

ANSWERS = ("response", "text")


def _is_message(value: Any) -> bool:
    return with_keys("role", "message")(value) or with_keys("role", "tool_results")(value)


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    messages: list[Message] = []
    if isinstance(preamble := fields.get("preamble"), str) and preamble:
        messages.append(system(preamble))
    messages += (message for each in fields["chat_history"] for message in _messages(each))
    if isinstance(question := fields.get("message"), str) and question:
        messages.append(text_message("user", question))
    for name in ANSWERS:
        found: Any = fields.get(name)
        text = found.get("text") if isinstance(found, Mapping) else found
        if isinstance(text, str):
            answer = text_message("assistant", text)
            # the history of a response has the answer, too
            if (messages[-1].role, messages[-1].blocks) != (answer.role, answer.blocks):
                messages.append(answer)
            break
    yield reader.conversation(fields, messages, "chat_history", "preamble", "message", *ANSWERS)


def _messages(fields: Fields) -> Sequence[Message]:
    results = fields.get("tool_results")
    if not isinstance(results, list):
        return [read_message(fields)]
    blocks: list[Block] = []
    for each in results:
        call = each.get("call") or {}
        blocks.append(Result(read_result(each.get("outputs")), tool=call.get("name")))
    return [Message("tool", blocks, label="TOOL")]


FORMAT = Format(
    "cohere",
    "Cohere chats, version 1",
    (
        has("chat_history", list),
        items("chat_history", "objects with a role and a message", _is_message),
    ),
    _read,
)
