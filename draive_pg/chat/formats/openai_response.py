"""Answers of OpenAI chat completions without their questions, as batch outputs and streams."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping
from typing import Any

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import Fields, Format, Need, Reader, items
from draive_pg.chat.roles import read_message


def is_chunk(value: Any) -> bool:
    """Return True for a chunk of a stream."""
    return isinstance(value, Mapping) and value.get("object") == "chat.completion.chunk"


def _read_stream(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    streams: dict[Any, list[Any]] = {}
    for chunk in fields["messages"]:
        streams.setdefault(chunk.get("id"), []).append(chunk)
    for identifier, chunks in streams.items():
        message = _joined(chunks)
        about = {
            "id": identifier,
            "created": chunks[0].get("created"),
            "model": chunks[0].get("model"),
        }
        yield reader.conversation(about, [message])


def _joined(chunks: list[Any]) -> Message:
    """Join the deltas of an answer to a message."""
    fields: dict[str, Any] = {"role": "assistant"}
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        fields |= {name: chunk[name] for name in ("model", "usage", "created") if chunk.get(name)}
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or {}
            for name in ("content", "reasoning_content", "reasoning", "refusal"):
                if isinstance(delta.get(name), str):
                    fields[name] = fields.get(name, "") + delta[name]
            for call in delta.get("tool_calls") or ():
                joined = calls.setdefault(call.get("index", 0), {"function": {"arguments": ""}})
                joined |= {"id": call["id"]} if call.get("id") else {}
                function = call.get("function") or {}
                joined["function"] |= {"name": function["name"]} if function.get("name") else {}
                joined["function"]["arguments"] += function.get("arguments") or ""
            if choice.get("finish_reason"):
                fields["finish_reason"] = choice["finish_reason"]
    if calls:
        fields["tool_calls"] = [calls[index] for index in sorted(calls)]
    return read_message(fields)


def _has_answer(fields: Fields) -> bool:
    match fields:
        case {"response": {"body": {"choices": list()}}} | {
            "choices": [{"message": Mapping()}, *_]
        }:
            return True
        case {"message": {"role": str(), "content": _}}:  # of Cohere, and a single choice
            return True
        case _:
            return False


STREAM = Format(
    "openai-stream",
    "OpenAI chat completion chunks",
    (items("messages", "objects of chat.completion.chunk", is_chunk),),
    _read_stream,
    is_message=is_chunk,
    messages=lambda chunk: [_joined([chunk])],
)

FORMAT = Format(
    "openai-response",
    "OpenAI chat completion responses, also of batches",
    (Need("choices with a message, or a response with them", _has_answer),),
    lambda fields, reader: reader.logged(fields),
)
