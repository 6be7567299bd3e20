"""Claude's export: ``chat_messages``, ``conversations.json`` in a ZIP archive."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping
from typing import Any

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import (
    Fields,
    Format,
    Need,
    Reader,
    branch,
    has,
    linked_messages,
    with_keys,
)
from draive_pg.chat.parts import is_empty, without
from draive_pg.chat.roles import read_message
from draive_pg.codec.elements import text_part

READ = (
    "uuid",
    "parent_message_uuid",
    "content",
    "text",
    "updated_at",
    "attachments",
    "files",
    "files_v2",
    "index",
)
MARKS = ("token_budget", "flag")  # of the interface: no content


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    paths, others = linked_messages(
        fields["chat_messages"],
        "uuid",
        "parent_message_uuid",
        fields.get("current_leaf_message_uuid"),
        reader.options.branches,
    )
    for number, path in enumerate(paths):
        conversation = reader.conversation(
            {("title" if key == "name" else key): value for key, value in fields.items()},
            [_message(each) for each in path],
            "chat_messages",
            "current_leaf_message_uuid",
        )
        yield branch(conversation, path[-1]["uuid"] if number else None, others)


def _message(fields: Any) -> Message:
    content = fields.get("content")
    if isinstance(content, list):
        content = [_part(part) for part in content if not _is_mark(part)]
    body = {"content": content} if content else {"text": fields.get("text") or ""}
    message = read_message({**without(fields, *READ), **body})
    extracted = [
        text_part(each["extracted_content"], {"name": each.get("file_name")})
        for each in fields.get("attachments") or ()
        if isinstance(each, Mapping) and not is_empty(each.get("extracted_content"))
    ]
    files = (
        each
        for name in ("files", "attachments")
        for each in fields.get(name) or ()
        if isinstance(each, Mapping) and is_empty(each.get("extracted_content"))
    )
    names = [each.get("file_name") for each in files]
    meta = {**message.meta, **({"files": names} if names else {})}
    blocks = [*message.blocks, *extracted]
    return Message(message.role, blocks, message.created, meta, message.label)


def _is_mark(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") in MARKS


def _part(part: Any) -> Any:
    """Remove the times of a part, which are those of the message; a voice note is its text."""
    match part:
        case {"type": "voice_note", "text": str()}:
            return {**_part(without(part, "type")), "type": "text", "voice_note": True}
        case Mapping():
            return without(part, "start_timestamp", "stop_timestamp")
        case _:
            return part


FORMAT = Format(
    "claude",
    "Claude export (conversations.json, also in its ZIP archive)",
    (
        has("chat_messages", list),
        Need(
            "chat_messages, a list of objects with a sender",
            lambda fields: all(map(with_keys("sender"), fields.get("chat_messages", [None]))),
        ),
    ),
    _read,
)
