"""Formats of chat logs: one module each, and the registry that detects the format of a document."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from types import NoneType
from typing import Any, cast

from draive_pg.chat.conversation import Conversation
from draive_pg.chat.formats import (
    ai_sdk,
    alpaca,
    anthropic,
    assistants,
    autogen,
    chatgpt,
    claude,
    claude_code,
    codex,
    cohere,
    events,
    gemini,
    langchain,
    letta,
    librechat,
    oasst,
    ollama,
    open_webui,
    openai,
    openai_completions,
    pydantic_ai,
    responses,
    sharegpt,
    traces,
    trl,
)
from draive_pg.chat.formats.format import Fields, Format, Options, Reader
from draive_pg.chat.formats.pages import UNKNOWN_ORDER, in_order, is_page
from draive_pg.chat.parts import rest, without
from draive_pg.codec.validation import shown

# In order of detection: those with a structure of their own, then those that differ in detail.
FORMATS: Sequence[Format] = (
    chatgpt.FORMAT,
    claude.FORMAT,
    claude_code.FORMAT,
    codex.FORMAT,
    oasst.TREES,
    oasst.ROWS,
    open_webui.FORMAT,
    librechat.FORMAT,
    letta.FORMAT,
    autogen.FORMAT,
    pydantic_ai.FORMAT,
    langchain.FORMAT,
    langchain.ROWS,
    sharegpt.FORMAT,
    cohere.FORMAT,
    assistants.FORMAT,
    openai_completions.STREAM,
    ollama.STREAM,
    events.RESPONSES,
    events.MESSAGES,
    gemini.STREAM,
    gemini.STUDIO,
    gemini.ACTIVITY,
    trl.PREFERENCE,
    traces.OBSERVATIONS,
    traces.TRACES,
    traces.RUNS,
    gemini.FORMAT,
    responses.FORMAT,
    ai_sdk.FORMAT,
    ollama.FORMAT,
    anthropic.FORMAT,
    trl.FORMAT,
    openai.FORMAT,
    openai_completions.FORMAT,
    alpaca.FORMAT,
    traces.EXCHANGE,
)

# Lists of conversations in the answers of APIs, and in exports.
LISTS = (
    "data",
    "items",
    "requests",
    "agents",
    "conversations",
    "chats",
    "threads",
    "sessions",
    "traces",
    "runs",
    "results",
    "value",
)
# A message with only these fields may be of many formats.
COMMON = frozenset({"role", "content", "name", "tool_calls", "tool_call_id"})
PAGING = ("object", "first_id", "last_id", "has_more", "next", "previous", "cursor", "total")
MAX_RESEMBLING = 3
MAX_LEVELS = 6  # at which conversations are looked for in other documents


class UnknownFormat(ValueError):
    """A document is of no known format.

    Attributes
    ----------
    problem : str
        What was expected, and which formats the document resembles.
    """

    def __init__(self, problem: str, found: str | None = None) -> None:
        super().__init__(problem if found is None else f"{problem}; found {found}")
        self.problem = problem


def detect(document: Fields) -> Format | None:
    """Return the format of a document, or None."""
    # messages that are alike for all formats are represented by the first
    document = {
        name: value[:1] if type(value) is list and _are_common(value) else value
        for name, value in document.items()
    }
    for each in FORMATS:
        for need in each.needs:
            if not need.met(document):
                break
        else:
            return each
    return None


def _are_common(messages: list[Any]) -> bool:
    """Return True for messages that are alike for all formats, with a role and text."""
    return (
        {dict}.issuperset(map(type, messages))
        and COMMON.issuperset(chain.from_iterable(messages))
        and {str, NoneType}.issuperset([type(each.get("content")) for each in messages])
        and all("role" in each for each in messages)
    )


def parse(value: object, reader: Reader) -> Iterator[Conversation]:
    """Parse a document to conversations.

    Parameters
    ----------
    value : object
        A JSON document: an object, or a list of messages.
    reader : Reader
        What to read.

    Raises
    ------
    UnknownFormat
        If no format matches.
    ValueError
        If the document is invalid in its format.
    """
    document = cast("Fields", {"messages": value} if isinstance(value, list) else value)
    if not isinstance(document, Mapping):
        raise ValueError(f"expected a conversation, found {shown(value)}")
    ignored = frozenset[str]()
    if is_page(document) and all(map(reader.is_message, document["data"])):
        data, is_known = in_order(document["data"])
        document = {**document, "data": data}
        ignored = frozenset() if is_known else frozenset({UNKNOWN_ORDER})
    for conversation in _parsed(document, reader):
        yield replace(conversation, ignored=conversation.ignored | ignored)


def _parsed(document: Fields, reader: Reader) -> Iterator[Conversation]:
    if {"identifier", "variables", "elements"} <= document.keys():
        raise UnknownFormat(
            "this is a whole memory of export_memories: import it with import_memories() or "
            "draive-pg import memories"
        )
    match document.get("messages"):
        case {"data": list() as messages}:  # of an API
            document = {**document, "messages": messages}
        case _:
            pass
    if not isinstance(document.get("messages", []), list):
        raise ValueError(f"expected messages to be a list, found {shown(document['messages'])}")
    if (found := detect(document)) is not None:
        yield from found.read(document, reader)
    elif listed := _listed(document):
        others = frozenset(rest(document, *listed, *PAGING))
        for name in listed:
            for each in document[name]:
                for conversation in parse(each, reader):
                    # reported once, not for each conversation
                    yield replace(conversation, ignored=conversation.ignored | others)
                    others = frozenset[str]()
    elif (inner := _inner(document, reader)) is not None:
        yield from parse(inner, reader)
    else:
        raise _unknown(document)


def _listed(document: Fields, levels: int = MAX_LEVELS) -> Sequence[str]:
    """Return the names of the lists of documents in an answer of an API or an export."""
    return [name for name in LISTS if levels and _are_documents(document.get(name), levels - 1)]


def _are_documents(values: object, levels: int) -> bool:
    match values:
        case [_, *_] if all(isinstance(each, Mapping) for each in values):
            return any(detect(each) or _listed(each, levels) for each in values)
        case _:
            return False


def _inner(document: Fields, reader: Reader, levels: int = MAX_LEVELS) -> Fields | None:
    """Return the only conversation that is a field of a document, with the other fields."""
    found: list[Fields] = []
    for name, value in document.items() if levels else ():
        if isinstance(value, Mapping) and (detect(value) or _inner(value, reader, levels - 1)):
            found.append({**without(document, name), **value})
        elif isinstance(value, list) and value and all(map(reader.is_message, value)):
            found.append({**without(document, name), "messages": value})
    return found[0] if len(found) == 1 else None


def _unknown(document: Fields) -> UnknownFormat:
    """Return the error that names the formats which a document resembles."""
    missing = {
        each.name: [need.text for need in each.needs if not need.met(document)]
        for each in FORMATS
        if any(need.met(document) for need in each.needs)
    }
    problem = "expected a field with messages, a list of objects that have a role"
    if missing:
        similar = list(missing.items())[:MAX_RESEMBLING]
        names = (f"{name}, without {' and '.join(texts)}" for name, texts in similar)
        problem = f"{problem}; it is similar to {'; '.join(names)}"
    return UnknownFormat(problem, shown(", ".join(map(str, document))) if document else "no fields")


def reader(options: Options) -> Reader:
    """Return a reader of all formats."""
    # most messages have a role, but those of a thread have more fields that say nothing
    first = (assistants.FORMAT, openai.FORMAT)
    return Reader([*first, *(each for each in FORMATS if each not in first)], options)
