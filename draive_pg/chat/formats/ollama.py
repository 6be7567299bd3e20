"""Ollama: a request with the message of its response; calls have no identifiers."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Mapping

from draive_pg.chat.formats.format import Fields, Format, Need, with_keys


def _has_response(fields: Fields) -> bool:
    match fields:
        case {"message": Mapping(), "done": _} | {"response": {"message": Mapping(), "done": _}}:
            return True
        case {"messages": list() as messages}:
            return any(with_keys("role", "tool_name")(message) for message in messages)
        case _:
            return False


FORMAT = Format(
    "ollama",
    "Ollama chats",
    (Need("a message and done, or messages with a tool_name", _has_response),),
    lambda fields, reader: reader.logged(fields),
)
