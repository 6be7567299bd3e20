"""Open WebUI's export: a chat with a history of messages."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping
from typing import Any, cast

from draive_pg.chat.conversation import Conversation
from draive_pg.chat.formats.format import (
    Fields,
    Format,
    Need,
    Reader,
    branch,
    branches,
    has,
)
from draive_pg.chat.parts import without
from draive_pg.chat.roles import read_message

LINKS = ("id", "parentId", "childrenIds")


def _chat(fields: Fields) -> Fields:
    chat = fields.get("chat")
    return cast("Fields", chat) if isinstance(chat, Mapping) else {}


def _has_messages(fields: Fields) -> bool:
    match _chat(fields):
        case {"messages": list()} | {"history": {"messages": Mapping()}}:
            return True
        case _:
            return False


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    chat = _chat(fields)
    about = {**without(chat, "history", "messages"), **without(fields, "chat")}
    for number, path in enumerate(_paths(chat, reader)):
        messages = [read_message(without(each, *LINKS)) for each in path]
        found = reader.conversation(about, messages)
        yield branch(found, path[-1]["id"] if number else None)


def _paths(chat: Fields, reader: Reader) -> list[list[Any]]:
    match chat.get("history"):
        case {"messages": Mapping() as nodes} as history if nodes:
            parents = {key: node.get("parentId") for key, node in nodes.items()}
            leaf = history.get("currentId")
            found = branches(parents, leaf, reader.options.branches)
            return [[nodes[key] for key in path] for path in found]
        case _:
            return [chat["messages"]]


FORMAT = Format(
    "open-webui",
    "Open WebUI export",
    (has("chat", dict), Need("chat.messages or chat.history.messages", _has_messages)),
    _read,
)
