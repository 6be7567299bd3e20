"""Answers of OpenAI chat completions without their questions, as batch outputs and streams."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import Fields, Format, Need, Reader, items
from draive_pg.chat.parts import rest, without
from draive_pg.chat.roles import read_message


def is_chunk(value: Any) -> bool:
    """Return True for a chunk of a stream; the first one of Azure has no object."""
    match value:
        case {"object": "chat.completion.chunk"} | {"object": "", "prompt_filter_results": _}:
            return True
        case _:
            return False


def _read_stream(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    for chunks in _streams(fields["messages"]):
        about = {name: chunks[0].get(name) for name in ("id", "created", "model")}
        found = reader.conversation(about, [_joined(chunks)])
        choices = {
            choice.get("index") or 0 for each in chunks for choice in each.get("choices") or ()
        }
        others = {"other choices"} if len(choices) > 1 else frozenset[str]()
        yield replace(found, ignored=found.ignored | others)


@dataclass(slots=True)
class _Stream:
    """Chunks of one answer."""

    chunks: list[Any] = field(default_factory=list[Any])
    has_text: bool = False
    is_finished: bool = False

    def add(self, chunk: Any) -> None:
        self.chunks.append(chunk)
        for choice in _first_choices(chunk):
            self.has_text |= _says(choice)
            self.is_finished |= bool(choice.get("finish_reason"))

    def ends_before(self, chunk: Any) -> bool:
        """Return True if a chunk of the same id, or without one, begins another answer."""
        for choice in _first_choices(chunk):
            opens = "role" in (choice.get("delta") or {}) and not chunk.get("usage")
            if self.is_finished:
                return _says(choice) or opens
            is_empty = not _says(choice) and not choice.get("finish_reason")
            return opens and is_empty and self.has_text and not chunk.get("id")
        return False


def _streams(chunks: Iterable[Any]) -> Iterator[list[Any]]:
    """Separate the streams of answers, which may be mixed if their chunks have ids."""
    streams: list[_Stream] = []
    latest: dict[Any, _Stream] = {}
    for chunk in chunks:
        identifier = chunk.get("id") or None
        if identifier is None and not chunk.get("choices"):
            if streams:  # the usage; before the first answer, filters of Azure
                streams[-1].add(chunk)
            continue
        stream = latest.get(identifier)
        if stream is None or stream.ends_before(chunk):
            stream = latest[identifier] = _Stream()
            streams.append(stream)
        stream.add(chunk)
    return (each.chunks for each in streams)


def _first_choices(chunk: Any) -> Iterator[Any]:
    return (each for each in chunk.get("choices") or () if not each.get("index"))


def _says(choice: Any) -> bool:
    """Return True if a choice has text or calls."""
    return any(value for name, value in (choice.get("delta") or {}).items() if name != "role")


def _joined(chunks: Sequence[Any]) -> Message:
    """Join the deltas of an answer to a message."""
    fields: dict[str, Any] = {"role": "assistant"}
    calls: list[dict[str, Any]] = []
    places: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        fields |= rest(chunk, "id", "object", "choices", "obfuscation")
        for choice in _first_choices(chunk):
            delta = choice.get("delta") or {}
            _merge(fields, without(delta, "role", "tool_calls"))
            _merge(fields, {"logprobs": choice.get("logprobs")})
            fields |= rest(choice, "index", "delta", "logprobs")
            for call in delta.get("tool_calls") or ():
                index = call.get("index") or 0
                joined = places.get(index)
                # some servers give all calls the same index
                if joined is None or call.get("id") not in (None, "", joined.get("id")):
                    joined = places[index] = {"function": {"arguments": ""}}
                    calls.append(joined)
                joined |= {"id": call["id"]} if call.get("id") else {}
                function = call.get("function") or {}
                joined["function"] |= {"name": function["name"]} if function.get("name") else {}
                joined["function"]["arguments"] += function.get("arguments") or ""
    if calls:
        fields["tool_calls"] = calls
    return read_message(fields)


def _merge(fields: dict[str, Any], more: Fields) -> None:
    """Add the pieces of a delta: text and lists follow the earlier ones."""
    for name, value in more.items():
        match fields.get(name), value:
            case _, None:
                continue
            case (str(before), str(text)):
                fields[name] = before + text
            case (list(before), list(items)):
                fields[name] = [*before, *items]
            case dict(before), Mapping():
                _merge(before, value)
            case _, Mapping():
                fields[name] = {**value}
            case _:
                fields[name] = value


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
