"""LangChain messages: plain, with ``data``, or with ``lc`` and ``kwargs``; and rows of n8n."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from draive_pg.chat.conversation import Message
from draive_pg.chat.formats.format import Fields, Format, items
from draive_pg.chat.parts import is_empty, rest
from draive_pg.chat.roles import read_message

TYPES: Mapping[str, str] = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "function",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "function",
    "HumanMessageChunk": "user",
    "AIMessageChunk": "assistant",
}
# Fields of each message that are empty or a repetition.
INTERNAL = (
    "type",
    "example",
    "tool_call_chunks",
    "lc_kwargs",
    "response_metadata",
)


def is_message(value: Any) -> bool:
    """Return True for a message of LangChain."""
    match value:
        case {"type": str(kind), "data": Mapping() as data}:
            return "content" in data and (kind in TYPES or (kind == "chat" and "role" in data))
        case {"lc": _, "kwargs": Mapping() as fields, "id": [*_, str(name)]}:
            return "content" in fields and (
                name in TYPES or (name == "ChatMessage" and "role" in fields)
            )
        case {"type": str(kind), "content": _}:
            return kind in TYPES and "role" not in value
        case {"type": "chat", "role": str(), "content": _}:
            return True
        case _:
            return False


def is_row(value: Any) -> bool:
    """Return True for a row of n8n: a session and a message, which may be JSON text."""
    return isinstance(value, Mapping) and is_message(_decoded(value.get("message")))


def _decoded(message: Any) -> Any:
    if not isinstance(message, str) or not message.startswith("{"):
        return message
    try:
        return json.loads(message)
    except (ValueError, RecursionError):
        return message


def _message(value: Any) -> Sequence[Message]:
    match value:
        case {"data": Mapping() as fields, "type": kind}:
            kind = fields["role"] if kind == "chat" else kind
        case {"kwargs": Mapping() as fields, "id": [*_, kind]}:
            kind = fields["role"] if kind == "ChatMessage" else kind
        case {"type": "chat"} as fields:
            kind = fields["role"]
        case {"type": kind} as fields:
            pass
        case _:
            raise ValueError("expected a message")
    fields = cast("Fields", fields)
    kept = {name: each for name, each in fields.items() if name not in INTERNAL}
    additional = kept.pop("additional_kwargs", None)
    if isinstance(additional, Mapping):
        kept = {**cast("Fields", additional), **{k: v for k, v in kept.items() if not is_empty(v)}}
        kept.setdefault("content", fields.get("content"))
    response = fields.get("response_metadata")
    if isinstance(response, Mapping):
        model = response.get("model_name") or response.get("model")
        usage = None if kept.get("usage_metadata") else response.get("token_usage")
        others = rest(response, "model", "model_name", "token_usage")
        kept |= rest({"model": model, "usage": usage, **others})
    kept.pop("id", None)
    chunks = fields.get("tool_call_chunks") or ()
    if not all(map(_is_complete, chunks)):  # else the calls repeat them
        kept["tool_call_chunks"] = chunks
    if isinstance(kept.get("content"), list) and kept.get("tool_calls"):
        # the content repeats the calls
        kept["content"] = [part for part in kept["content"] if not _is_call(part)]
    if kept.get("status") == "success":
        kept.pop("status")
    return [read_message({"role": TYPES.get(kind, kind), **kept})]


def _is_complete(chunk: Any) -> bool:
    try:
        json.loads(chunk.get("args") or "{}")
    except (AttributeError, TypeError, ValueError, RecursionError):
        return False
    return True


def _is_call(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") in (
        "tool_use",
        "tool_call",
        "function_call",
    )


def _row(value: Any) -> Sequence[Message]:
    others = {
        name: each
        for name, each in value.items()
        if name in ("created_at", "createdAt", "timestamp")
    }
    message = _message(_decoded(value["message"]))[0]
    created = read_message({"role": "user", "content": "", **others}).created
    return [replace(message, created=message.created or created)]


FORMAT = Format(
    "langchain",
    "LangChain messages (plain, with data, or with lc and kwargs)",
    (items("messages", "objects with a type (human, ai, tool) and content", is_message),),
    lambda fields, reader: reader.logged(fields),
    is_message=is_message,
    messages=_message,
)

ROWS = Format(
    "n8n",
    "n8n chat memory (rows of a session and a LangChain message)",
    (items("messages", "rows with a LangChain message", is_row),),
    lambda fields, reader: reader.logged(fields),
    is_message=is_row,
    messages=_row,
)
