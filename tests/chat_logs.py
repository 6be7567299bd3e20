"""Read chat logs as plain values, to compare them with what a log says."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from draive_pg.chat import OnError
from draive_pg.chat.convert import Chat, convert
from draive_pg.chat.files.containers import Containers
from draive_pg.chat.formats.format import Options
from draive_pg.chat.reader import Log, read
from draive_pg.codec.draive_elements import decode_element
from draive_pg.codec.json import encode
from draive_pg.errors import ChatInvalid


@dataclass
class Memory:
    """A conversation as it will be stored.

    Attributes
    ----------
    turns : list of (str, str)
        Speaker (user, assistant or tool) and text of each element.
    reasoning, times, meta : list
        Of each element.
    calls : list of (str, arguments, str | None)
        Tool, arguments and result of each call.
    variables : Mapping[str, Any]
        The last snapshot.
    """

    turns: list[tuple[str, str]]
    reasoning: list[str]
    calls: list[tuple[str, Mapping[str, Any], str | None]]
    times: list[str | None]
    meta: list[Mapping[str, Any]]
    variables: Mapping[str, Any]
    ignored: list[str] = field(default_factory=list[str])


def entries(source: Any, **options: Any) -> list[Log | ChatInvalid]:
    """Read a source: conversations and errors."""
    return list(read(source, Containers(), Options(**options)))


def memories(source: Any, on_error: OnError = "refuse", **options: Any) -> dict[str, Memory]:
    """Read a source without errors."""
    result: dict[str, Memory] = {}
    for entry in entries(source, **options):
        if isinstance(entry, ChatInvalid):
            raise entry
        assert entry.identifier not in result
        found = memory(convert(entry.conversation, on_error))
        found.ignored = sorted(entry.conversation.ignored)
        result[entry.identifier] = found
    return result


def only(source: Any, on_error: OnError = "refuse", **options: Any) -> Memory:
    """Read a source of one conversation without errors."""
    [found] = memories(source, on_error, **options).values()
    return found


def errors(source: Any, **options: Any) -> list[str]:
    """Read a source, and return the errors of reading and conversion."""
    result: list[str] = []
    for entry in entries(source, **options):
        if isinstance(entry, ChatInvalid):
            result.append(str(entry))
            continue
        try:
            convert(entry.conversation)
        except ChatInvalid as error:
            result.append(f"{entry.where}: {error}")
    return result


def memory(chat: Chat) -> Memory:
    """Return a converted conversation as plain values; draive must be able to read it."""
    turns: list[tuple[str, str]] = []
    reasoning: list[str] = []
    requests: list[tuple[str, str, Any]] = []
    responses: dict[str, list[str]] = {}
    for element in chat.elements:
        decode_element(encode(element.document, "element"), str)
        blocks: Sequence[Any] = json.loads(json.dumps(element.document))["blocks"]
        turns.append(
            (
                _speaker(element.document["type"], blocks),
                "".join(_text(block) for block in blocks if block["type"] == "content"),
            )
        )
        reasoning.append(
            "".join(_text(block["content"]) for block in blocks if block["type"] == "reasoning")
        )
        for block in blocks:
            if block["type"] == "tool_request":
                requests.append((block["identifier"], block["tool"], block["arguments"]))
            if block["type"] == "tool_response":
                responses.setdefault(block["identifier"], []).append(_text(block["content"]))
    calls = [
        (tool, arguments, responses[identifier].pop(0) if responses.get(identifier) else None)
        for identifier, tool, arguments in requests
    ]
    return Memory(
        turns,
        reasoning,
        calls,
        [element.created and element.created.isoformat() for element in chat.elements],
        [element.document["meta"] for element in chat.elements],
        chat.snapshots[-1].variables if chat.snapshots else {},
    )


def _speaker(kind: str, blocks: Sequence[Any]) -> str:
    if kind == "model_output":
        return "assistant"
    return "tool" if any(block["type"] == "tool_response" for block in blocks) else "user"


def _text(block: Any) -> str:
    return "".join(part.get("text", "") for part in block["parts"])
