"""Open WebUI's export: a chat with a history of messages."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import unescape
from typing import Any, cast

from draive_pg.chat.conversation import Block, Conversation, Message, Thought
from draive_pg.chat.formats.format import (
    Fields,
    Format,
    Need,
    Reader,
    branch,
    branches,
)
from draive_pg.chat.parts import SCHEME, image, is_data_uri, without
from draive_pg.chat.roles import read_message
from draive_pg.codec.elements import text_part

LINKS = ("id", "parentId", "childrenIds")
REASONING = re.compile(
    r'<details type="reasoning"[^>]*>\s*(?:<summary>.*?</summary>)?(.*?)</details>\s*', re.DOTALL
)


def _chat(fields: Fields) -> Fields:
    chat = fields.get("chat", fields)
    return cast("Fields", chat) if isinstance(chat, Mapping) else {}


def _has_messages(fields: Fields) -> bool:
    match fields:
        case {"chat": {"messages": list()}}:
            return True
        case {"history": {"messages": Mapping()}} | {"chat": {"history": {"messages": Mapping()}}}:
            return True
        case _:
            return False


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    chat = _chat(fields)
    about = without({**chat, **fields}, "chat", "history", "messages")
    paths, others = _paths(chat, reader)
    for number, path in enumerate(paths):
        messages = [_message(each) for each in path]
        found = reader.conversation(about, messages)
        yield branch(found, path[-1]["id"] if number else None, others)


def _message(fields: Any) -> Message:
    """Read a message: its reasoning is HTML in the text, and its images are files."""
    left = without(fields, *LINKS)
    thoughts: list[Block] = []
    if isinstance(text := left.get("content"), str) and left.get("role") == "assistant":
        for quoted in REASONING.findall(text):
            lines = (line.removeprefix(">").strip() for line in unescape(quoted).splitlines())
            thoughts.append(Thought([text_part("\n".join(lines).strip())]))
        left["content"] = REASONING.sub("", text) if thoughts else text
    files: Any = left.get("files") or ()
    images = [each["url"] for each in files if _is_image(each)]
    left["files"] = [each for each in files if not _is_image(each)]
    message = read_message(left)
    shown = [image(url) for url in images]
    return replace(message, blocks=[*thoughts, *shown, *message.blocks])


def _is_image(file: Any) -> bool:
    match file:
        case {"type": "image", "url": str(url)}:
            return is_data_uri(url) or SCHEME.match(url) is not None
        case _:
            return False


def _paths(chat: Fields, reader: Reader) -> tuple[list[list[Any]], frozenset[str]]:
    """Return the messages of each branch that is read, and what is ignored."""
    match chat.get("history"):
        case {"messages": Mapping() as nodes} as history if nodes:
            parents = {key: node.get("parentId") for key, node in nodes.items()}
            leaf = history.get("currentId")
            paths, ignored = branches(parents, leaf, reader.options.branches)
            return [[nodes[key] for key in path] for path in paths], ignored
        case _:
            return [chat.get("messages") or []], frozenset()


FORMAT = Format(
    "open-webui",
    "Open WebUI export",
    (Need("chat.messages or chat.history.messages", _has_messages),),
    _read,
)
