"""Messages of a thread of OpenAI's Assistants API, which lists the newest first."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping
from typing import Any

from draive_pg.chat.conversation import Conversation
from draive_pg.chat.formats.format import Fields, Format, Need, Reader
from draive_pg.chat.parts import without
from draive_pg.chat.roles import read_message

LISTS = ("data", "messages")
INTERNAL = ("id", "object", "thread_id", "run_id", "file_ids", "completed_at")


def is_message(value: Any) -> bool:
    """Return True for a message of a thread."""
    return isinstance(value, Mapping) and value.get("object") == "thread.message"


def _list(fields: Fields) -> list[Any]:
    found = (fields.get(name) for name in LISTS)
    lists = (
        values for values in found if isinstance(values, list) and any(map(is_message, values))
    )
    return next(lists, [])


def _place(message: Fields) -> tuple[Any, bool]:
    """Return what orders the first and the last message; a question is first in its second."""
    return message.get("created_at", 0), message.get("role") != "user"


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    values = _list(fields)
    if _place(values[0]) > _place(values[-1]):
        values = values[::-1]
    messages = [read_message(without(each, *INTERNAL)) for each in values]
    paging = ("object", "first_id", "last_id", "has_more")
    about = {"thread_id": values[0].get("thread_id"), **fields}
    yield reader.conversation(about, messages, *LISTS, *paging)


FORMAT = Format(
    "assistants",
    "OpenAI Assistants threads",
    (Need("data, a list of thread.message objects", lambda fields: bool(_list(fields))),),
    _read,
    is_message=is_message,
    messages=lambda fields: [read_message(without(fields, *INTERNAL))],
)
