"""Logs as real tools write them: exports, requests and responses, streams and traces."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from draive_pg.chat.convert import Chat, convert
from draive_pg.errors import ChatInvalid
from tests.chat_logs import entries, memory

DATA = Path(__file__).parent / "data" / "chat_logs.jsonl"
LOGS = {log["name"]: log for log in map(json.loads, DATA.read_bytes().splitlines())}


@pytest.mark.parametrize("name", LOGS)
def test_log_becomes_the_conversations_in_it(name: str) -> None:
    log = LOGS[name]
    found: dict[str, Any] = {}
    for entry in entries(log["content"].encode()):
        try:
            if isinstance(entry, ChatInvalid):
                raise entry
            chat = convert(entry.conversation)
        except ChatInvalid as error:
            found.setdefault("errors", []).append(str(error))
        else:
            ignored = sorted(entry.conversation.ignored)
            found[entry.identifier] = summary(chat, ignored)
    assert found == log["memories"]


@pytest.mark.parametrize("name", LOGS)
def test_values_of_other_types_are_refused_or_readable(name: str) -> None:
    try:
        documents = [json.loads(line) for line in LOGS[name]["content"].split("\n") if line]
    except ValueError:
        pytest.skip("other than JSON Lines")
    for number, path in enumerate(list(paths(documents))[1::5]):
        for odd in (({"type": "text"}, ["a"], 7, None)[number % 4],):
            changed = deepcopy(documents)
            parent = changed
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = odd
            for entry in entries("\n".join(map(json.dumps, changed)).encode()):
                if isinstance(entry, ChatInvalid):
                    continue
                with suppress(ChatInvalid):
                    chat = convert(entry.conversation)
                    assert len(memory(chat).turns) == len(chat.elements)  # read by draive's classes


def paths(value: Any, *path: Any) -> Iterator[Sequence[Any]]:
    """Yield the places of all values in a document."""
    yield path
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, dict | list):
            yield from paths(each, *path, key)
        else:
            yield (*path, key)


def summary(chat: Chat, ignored: Sequence[str]) -> Mapping[str, Any]:
    """Return what a conversation holds, without what is empty."""
    held = memory(chat)
    own = [
        time
        for time, element in zip(held.times, chat.elements, strict=True)
        if element.untimed is None
    ]
    values = {
        "turns": list(map(list, held.turns)),
        "calls": [list(call) for call in held.calls],
        "reasoning": "".join(held.reasoning),
        "system": held.variables.get("system"),
        "title": held.variables.get("title"),
        "media": [
            part.get("uri") or part.get("mime_type") or part.get("category")
            for element in chat.elements
            for part in parts(element.document["blocks"])
            if "text" not in part
        ],
        "ignored": ignored,
        "times": [own[0], own[-1]] if own else [],
    }
    return {name: value for name, value in values.items() if value}


def parts(blocks: Sequence[Any]) -> Sequence[Any]:
    """Return the parts of contents and of tool results."""
    contents = (block.get("content", block) for block in blocks if block["type"] != "reasoning")
    return [part for content in contents for part in content.get("parts", ())]
