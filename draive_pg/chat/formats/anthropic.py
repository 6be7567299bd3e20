"""Anthropic messages; their blocks are read by `draive_pg.chat.parts`."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterable
from typing import Any

from draive_pg.chat.conversation import Conversation
from draive_pg.chat.formats.format import Fields, Format, Need, Reader
from draive_pg.chat.parts import without
from draive_pg.chat.roles import read_message

BLOCKS = ("tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use")


def _is_anthropic(fields: Fields) -> bool:
    match fields:
        case {"messages": list() as messages} if "system" in fields:
            return bool(messages)
        case {"messages": list() as messages}:
            return any(map(_has_block, messages))
        case {"request": {"messages": list()} as request}:
            return _is_anthropic(request)
        case {"type": "message", "content": list(), "role": "assistant"}:
            return True
        case _:
            return False


def _has_block(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    return isinstance(content, list) and any(
        isinstance(block, dict) and block.get("type") in BLOCKS for block in content
    )


def _read(fields: Fields, reader: Reader) -> Iterable[Conversation]:
    if fields.get("type") != "message":
        return reader.logged(fields)
    message = without(fields, "id", "custom_id")
    return [reader.conversation(without(fields, *message), [read_message(message)])]


FORMAT = Format(
    "anthropic",
    "Anthropic messages: requests and responses",
    (Need("messages with system beside them, or with tool_use or thinking blocks", _is_anthropic),),
    _read,
)
