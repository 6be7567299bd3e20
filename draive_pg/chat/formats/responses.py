"""OpenAI Responses API: items of messages, reasoning, function calls and their outputs."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Mapping, Sequence
from typing import Any

from draive_pg.chat.conversation import Call, Message, Result
from draive_pg.chat.formats.format import Fields, Format, Need
from draive_pg.chat.parts import artifact, read_content, read_result, rest
from draive_pg.chat.roles import time_and_others

OUTPUTS = ("function_call_output", "custom_tool_call_output")
ITEMS = ("reasoning", "function_call", "custom_tool_call", "image_generation_call", *OUTPUTS)
OTHERS = (
    "compaction",
    "compaction_trigger",
    "configuration_update",
    "item_reference",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_list_tools",
    "program",
    "program_output",
    "tool_search_output",
)
ARGUMENTS = ("action", "operation", "arguments")
RETURNED = ("output", "result", "tools")
INTERNAL = ("type", "id", "call_id", "status")
LISTS = ("messages", "items", "input", "output")


def is_item(value: Any) -> bool:
    """Return True for an item that is not a message, which has a role.

    Calls of built-in tools, such as ``web_search_call``, have shapes of their own.
    """
    match value:
        case {"type": str(kind)} if "role" not in value and "content" not in value:
            return kind in (*ITEMS, *OTHERS) or kind.endswith(("_call", "_call_output"))
        case {"type": "reasoning", "content": list() | None}:
            return True
        case _:
            return False


def _messages(item: Fields) -> Sequence[Message]:
    created, item = time_and_others(item)
    kind = str(item["type"])
    if kind in OUTPUTS:
        return [Message("tool", read_content([item]), created, label=kind)]
    match item:
        case {"type": "mcp_call", "name": str(tool), "id": str(call)}:
            returned, error = item.get("output"), item.get("error")
            meta = rest(item, "type", "id", "name", "arguments", "output", "error")
            result = Result(read_result(error or returned), call, tool, failed=error is not None)
            blocks = [Call(tool, item.get("arguments"), call, meta), result]
        case _ if kind in ITEMS:
            blocks = read_content([item])
        case {"call_id": str(call)} | {"id": str(call), "output": _} if kind.endswith("_output"):
            return [Message("tool", [_result(kind, call, item)], created, label=kind)]
        case {"call_id": str(call)}:
            blocks = [_call(kind, call, item)]
        case _:
            blocks = [artifact(kind, item)]
    return [Message("assistant", blocks, created, label=kind, is_piece=True)]


def _call(kind: str, call: str, item: Fields) -> Call:
    """Read a call of a built-in tool, which is named by the type of the item."""
    tool = kind.removesuffix("_call")
    for name in ARGUMENTS:
        if isinstance(arguments := item.get(name), Mapping):
            return Call(tool, arguments, call, rest(item, *INTERNAL, name))
    return Call(tool, rest(item, *INTERNAL), call)


def _result(kind: str, call: str, item: Fields) -> Result:
    tool = kind.removesuffix("_output").removesuffix("_call")
    found = next((name for name in RETURNED if item.get(name) is not None), "")
    failed = item.get("status") == "failed"
    meta = rest(item, *INTERNAL, found)
    return Result(read_result(item.get(found)), call, tool, failed, meta)


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
