"""Cohere, version 1 of its API: ``chat_history`` of roles and messages, and ``message``."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping
from typing import Any

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import Fields, Format, Reader, has, items, with_keys
from draive_pg.chat.roles import read_message, system, text_message

ANSWERS = ("response", "text")


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    messages: list[Message] = []
    if isinstance(preamble := fields.get("preamble"), str) and preamble:
        messages.append(system(preamble))
    messages += map(read_message, fields["chat_history"])
    if isinstance(question := fields.get("message"), str) and question:
        messages.append(text_message("user", question))
    for name in ANSWERS:
        found: Any = fields.get(name)
        text = found.get("text") if isinstance(found, Mapping) else found
        if isinstance(text, str):
            messages.append(text_message("assistant", text))
            break
    yield reader.conversation(fields, messages, "chat_history", "preamble", "message", *ANSWERS)


FORMAT = Format(
    "cohere",
    "Cohere chats, version 1",
    (
        has("chat_history", list),
        items("chat_history", "objects with a role and a message", with_keys("role", "message")),
    ),
    _read,
)
