"""Letta messages, each with a ``message_type``."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from draive_pg.chat.conversation import Block, Call, Conversation, Message, Result, Thought
from draive_pg.chat.formats.format import Fields, Format, Reader, items
from draive_pg.chat.parts import artifact, read_content, read_result, rest
from draive_pg.chat.times import descend, read_time
from draive_pg.codec.elements import text_part

ROLES = {
    "system_message": "system",
    "user_message": "user",
    "assistant_message": "assistant",
    "reasoning_message": "assistant",
    "hidden_reasoning_message": "assistant",
    "tool_call_message": "assistant",
    "tool_return_message": "tool",
    "approval_request_message": "assistant",
    "approval_response_message": "user",
    "summary_message": "user",
}
EVENTS = ("event_message", "ping", "stop_reason", "usage_statistics")
PIECES = (
    "approval_request_message",
    "reasoning_message",
    "hidden_reasoning_message",
    "tool_call_message",
)
APPROVAL = ("approve", "approval_request_id", "reason")
CONTENTS = (
    *APPROVAL,
    "content",
    "reasoning",
    "tool_call",
    "tool_calls",
    "tool_return",
    "tool_returns",
    "tool_call_id",
    "status",
    "signature",
    "summary",
)
INTERNAL = ("id", "message_type", "date", "otid", "step_id", "sender_id", "seq_id", "run_id")


def is_message(value: Any) -> bool:
    """Return True for a message of Letta."""
    match value:
        case {"message_type": str(kind)}:
            return kind in ROLES
        case _:
            return False


def _is_event(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("message_type") in EVENTS


def _messages(fields: Fields) -> Sequence[Message]:
    kind = fields["message_type"]
    meta = rest(fields, *CONTENTS, *INTERNAL, "source")
    meta |= {"summary": True} if kind == "summary_message" else {}
    created = read_time(fields.get("date"))
    return [Message(ROLES[kind], _blocks(fields), created, meta, kind, kind in PIECES)]


def _blocks(fields: Fields) -> Sequence[Block]:
    match fields:
        case {"tool_call": {"name": str(tool)} as call}:
            return [Call(tool, call.get("arguments"), call.get("tool_call_id"))]
        case {"tool_calls": [{"name": str()}, *_] as calls}:
            return [Call(each["name"], each["arguments"], each["tool_call_id"]) for each in calls]
        case {"message_type": "approval_response_message"}:
            return [artifact("approval", {name: fields.get(name) for name in APPROVAL})]
        case {"tool_returns": [{"tool_return": _}, *_] as results}:
            return [_result(each) for each in results]
        case {"tool_return": _}:
            return [_result(fields)]
        case {"reasoning": str(text)}:
            return [Thought([text_part(text)], rest({"signature": fields.get("signature")}))]
        case {"message_type": "hidden_reasoning_message"}:
            return [Thought([])]
        case _:
            return read_content(fields.get("content", fields.get("summary")))


def _result(fields: Fields) -> Result:
    failed = fields.get("status") == "error"
    return Result(read_result(fields["tool_return"]), fields.get("tool_call_id"), failed=failed)


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    """Read messages, without events of the server; the API can list them with the newest first."""
    others = [each for each in fields["messages"] if _is_event(each)]
    values = [each for each in fields["messages"] if not _is_event(each)]
    fields = {**fields, "messages": values}
    if descend([read_time(each.get("date")) for each in values if isinstance(each, Mapping)]):
        fields = {**fields, "messages": values[::-1]}
    ignored = {f"{each['message_type']}s" for each in others}
    for found in reader.logged(fields):
        yield replace(found, ignored=found.ignored | ignored)


FORMAT = Format(
    "letta",
    "Letta messages",
    (items("messages", "objects with a message_type", is_message),),
    _read,
    is_message=is_message,
    messages=_messages,
)
