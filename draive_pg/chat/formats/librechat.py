"""LibreChat's export: messages with a sender, linked by ``parentMessageId``."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator
from typing import Any

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import (
    Fields,
    Format,
    Reader,
    branch,
    items,
    linked_messages,
    with_keys,
)
from draive_pg.chat.parts import without
from draive_pg.chat.roles import read_message

LINKS = ("messageId", "parentMessageId", "conversationId", "children", "updatedAt", "_id", "__v")


def is_message(value: Any) -> bool:
    """Return True for a message of LibreChat."""
    return with_keys("isCreatedByUser")(value) and ("text" in value or "content" in value)


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    messages = list(_flat(fields["messages"]))
    paths, others = linked_messages(
        messages, "messageId", "parentMessageId", None, reader.options.branches
    )
    session = fields.get("conversationId") or messages[0].get("conversationId")
    for number, path in enumerate(paths):
        found = reader.conversation(
            {**fields, "conversationId": session},
            [_message(each) for each in path],
            "messages",
            "recursive",
            "branches",
            "messagesTree",
        )
        yield branch(found, path[-1]["messageId"] if number else None, others)


def _flat(messages: Any) -> Iterator[Any]:
    """Yield the messages of a list or, in recursive exports, of a tree."""
    for message in messages:
        yield message
        yield from _flat(message.get("children") or ())


def _message(fields: Fields) -> Message:
    role = "user" if fields.get("isCreatedByUser") else "assistant"
    kept = without(fields, *LINKS, "isCreatedByUser", "text", "content", "sender")
    sender = fields.get("sender")
    if role == "assistant" and isinstance(sender, str) and sender:
        kept["name"] = sender
    content = fields.get("content") or fields.get("text") or ""
    return read_message({"role": role, "content": content, **kept})


FORMAT = Format(
    "librechat",
    "LibreChat export",
    (items("messages", "objects with isCreatedByUser and text", is_message),),
    _read,
    is_message=is_message,
    messages=lambda fields: [_message(fields)],
)
