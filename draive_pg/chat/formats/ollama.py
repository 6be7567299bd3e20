"""Ollama: a request with the message of its response; calls have no identifiers."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import Fields, Format, Need, Reader, items, with_keys
from draive_pg.chat.parts import is_empty, without
from draive_pg.chat.roles import read_message


def _has_response(fields: Fields) -> bool:
    match fields:
        case {"message": Mapping(), "done": _} | {"response": {"message": Mapping(), "done": _}}:
            return True
        case {"messages": list() as messages}:
            return any(with_keys("role", "tool_name")(message) for message in messages)
        case _:
            return False


def _is_chunk(value: Any) -> bool:
    """Return True for a piece of a streamed answer that is not the last one."""
    match value:
        case {"done": False, "message": {"role": "assistant"}} | {"done": False, "response": str()}:
            return "messages" not in value and "prompt" not in value
        case _:
            return False


def _read_stream(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    chunks: list[Fields] = []
    for chunk in fields["messages"]:
        chunks.append(chunk)
        if chunk.get("done") is not False:
            yield reader.conversation(*_joined(chunks))
            chunks = []
    if chunks:
        yield reader.conversation(*_joined(chunks))


def _joined(chunks: Sequence[Fields]) -> tuple[Fields, list[Message]]:
    """Return the fields of an answer, and its message."""
    message: dict[str, Any] = {"role": "assistant"}
    about: dict[str, Any] = {}
    for chunk in chunks:
        about |= without(chunk, "message", "response")
        piece = chunk.get("message") or {"content": chunk.get("response")}
        for name, value in cast("Fields", piece).items():
            match message.get(name), value:
                case (str(before), str(more)) if name != "role":
                    message[name] = before + more
                case (list(before), list(more)):
                    message[name] = [*before, *more]
                case _ if not is_empty(value):
                    message[name] = value
                case _:
                    pass
    return about, [read_message({"created_at": about.get("created_at"), **message})]


STREAM = Format(
    "ollama-stream",
    "Ollama: streamed answers",
    (items("messages", "objects with a message and done", _is_chunk),),
    _read_stream,
    is_message=_is_chunk,
    messages=lambda chunk: _joined([chunk])[1],
)

FORMAT = Format(
    "ollama",
    "Ollama chats",
    (Need("a message and done, or messages with a tool_name", _has_response),),
    lambda fields, reader: reader.logged(fields),
)
