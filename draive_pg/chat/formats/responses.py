"""OpenAI Responses API: items of messages, reasoning, function calls and their outputs."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Sequence
from typing import Any

from draive_pg.chat.conversation import Block, Message
from draive_pg.chat.formats.format import Fields, Format, Need
from draive_pg.chat.parts import artifact, read_content, without

OUTPUTS = ("function_call_output", "custom_tool_call_output")
ITEMS = ("reasoning", "function_call", "custom_tool_call", *OUTPUTS)
LISTS = ("messages", "items", "input", "output")


def is_item(value: Any) -> bool:
    """Return True for an item that is not a message, which has a role.

    Calls of built-in tools, such as ``web_search_call``, have shapes of their own.
    """
    match value:
        case {"type": str(kind)} if "role" not in value and "content" not in value:
            return kind in ITEMS or kind.endswith(("_call", "_call_output"))
        case {"type": "reasoning", "content": list() | None}:
            return True
        case _:
            return False


def _messages(item: Fields) -> Sequence[Message]:
    kind = str(item["type"])
    if kind in OUTPUTS:
        return [Message("tool", read_content([item]), label=kind)]
    known = kind in ITEMS
    blocks: list[Block] = (
        read_content([without(item, *(("id",) if kind == "reasoning" else ()))])
        if known
        else [artifact(kind, item)]
    )
    return [Message("assistant", blocks, label=kind, is_piece=True)]


def _has_items(fields: Fields) -> bool:
    match fields:
        case {"object": "response"} | {"instructions": str(), "input": str() | list()}:
            return True
        case {"response": {"object": "response"}}:
            return True
        case _:
            lists = (fields.get(name) for name in LISTS)
            return any(isinstance(each, list) and any(map(is_item, each)) for each in lists)


FORMAT = Format(
    "openai-responses",
    "OpenAI Responses API: requests, responses and items",
    (
        Need(
            "items of the types message, reasoning, function_call and function_call_output",
            _has_items,
        ),
    ),
    lambda fields, reader: reader.logged(
        {("messages" if name == "items" else name): value for name, value in fields.items()}
    ),
    is_message=is_item,
    messages=_messages,
)
