"""Open WebUI's export: a chat with a history of messages."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import unescape
from itertools import chain
from typing import Any, cast

from draive_pg.chat.conversation import Block, Call, Conversation, Message, Result, Thought
from draive_pg.chat.formats.format import (
    Fields,
    Format,
    Need,
    Reader,
    branch,
    branches,
)
from draive_pg.chat.parts import SCHEME, end_of_last, image, is_data_uri, read_result, without
from draive_pg.chat.roles import read_message
from draive_pg.codec.elements import text_part

LINKS = ("id", "parentId", "childrenIds")
# How the text of an answer contains reasoning and calls.
DETAILS = re.compile(
    r'<details type="(reasoning|tool_calls)"([^>]*)>\s*(?:<summary>[^<]*</summary>)?'
    r"(.*?)</details>",
    re.DOTALL,
)
DETAILS_END = re.compile("</details>")
ATTRIBUTE = re.compile(r'([a-z]+)="([^"]*)"')


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
    """Read a message: reasoning and calls are HTML in its text, and its images are files."""
    left = without(fields, *LINKS)
    blocks: list[Block] = []
    if isinstance(text := left.get("content"), str) and left.get("role") == "assistant":
        *details, end = _details(text)
        blocks += chain.from_iterable(details)
        left["content"] = end[0]["text"] if details else text
    files: Any = left.get("files") or ()
    images = [each["url"] for each in files if _is_image(each)]
    left["files"] = [each for each in files if not _is_image(each)]
    message = read_message(left)
    shown = [image(url) for url in images]
    return replace(message, blocks=[*blocks, *shown, *message.blocks])


def _details(text: str) -> Iterator[list[Any]]:
    """Yield the blocks of each piece of a text, and the text after the last one."""
    end = 0
    for found in DETAILS.finditer(text, 0, end_of_last(DETAILS_END, text)):
        if before := text[end : found.start()].strip():
            yield [text_part(before)]
        kind, attributes, body = found.groups()
        if kind == "reasoning":
            lines = (line.removeprefix(">").strip() for line in unescape(body).splitlines())
            yield [Thought([text_part("\n".join(lines).strip())])]
        else:
            yield _call(dict(ATTRIBUTE.findall(attributes)), body.strip())
        end = found.end()
    yield [text_part(text[end:].lstrip())]


def _call(fields: Mapping[str, str], body: str) -> list[Block]:
    """Read a call and, if it is done, its result, which is JSON in a field or in the body."""
    tool, call = unescape(fields.get("name") or "unknown"), unescape(fields.get("id") or "")
    arguments = _decoded(fields.get("arguments", ""))
    blocks: list[Block] = [Call(tool, arguments, call or None)]
    if fields.get("done") != "false":
        returned = read_result(_decoded(fields.get("result", body)))
        blocks.append(Result(returned, call or None, tool))
    return blocks


def _decoded(escaped: str) -> Any:
    text = unescape(escaped)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


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
