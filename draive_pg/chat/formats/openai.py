"""OpenAI chat completions: messages, requests with their responses, fine-tuning and batch files."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from draive_pg.chat.conversation import Conversation
from draive_pg.chat.formats.format import HISTORIES, REQUESTS, Fields, Format, Need, Reader
from draive_pg.chat.roles import is_role_message, is_spoken, read_message
from draive_pg.codec.validation import shown


def _fields_with_messages(fields: Fields) -> list[str]:
    """Return the names of the fields with messages: ``messages``, else any other."""
    if isinstance(fields.get("messages"), list):
        return ["messages"]
    return [name for name, value in fields.items() if _are_messages(value)]


def _are_messages(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(map(is_role_message, cast("Sequence[Any]", value)))
    )


def _has_request(fields: Fields) -> bool:
    return any(
        isinstance(value := fields.get(name), Mapping) and isinstance(value.get("messages"), list)
        for name in REQUESTS
    )


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    names = _fields_with_messages(fields)
    if len(names) > 1:
        found = shown(", ".join(names))
        raise ValueError(f"expected one field with messages, found {found}")
    if names and names[0] not in (*REQUESTS, *HISTORIES):
        renamed = {"messages" if key == names[0] else key: each for key, each in fields.items()}
        yield from reader.logged(renamed)
    else:
        yield from reader.logged(fields)


FORMAT = Format(
    "openai",
    "OpenAI chat messages: conversations, requests and responses, fine-tuning and batch files",
    (
        Need(
            "a field with messages, a list of objects that have a role",
            lambda fields: bool(_fields_with_messages(fields)) or _has_request(fields),
        ),
    ),
    _read,
    is_message=lambda value: is_role_message(value) or is_spoken(value),
    messages=lambda fields: [read_message(fields)],
)
