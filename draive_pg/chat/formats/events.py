"""Streamed answers: the events of the Responses API and of Anthropic."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import Fields, Format, Reader, items
from draive_pg.chat.parts import without
from draive_pg.chat.roles import read_message

ANTHROPIC = (
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
)
TEXTS = ("text", "thinking", "signature")


# Events of the Responses API with a piece of an item, and its name here.
DELTAS: Mapping[str, str] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "thought",
    "response.reasoning_text.delta": "thought",
    "response.function_call_arguments.delta": "arguments",
    "response.mcp_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
}


def is_response_event(value: Any) -> bool:
    """Return True for an event of the Responses API."""
    match value:
        case {"type": str(kind)}:
            return kind.startswith("response.") and "role" not in value
        case _:
            return False


def is_anthropic_event(value: Any) -> bool:
    """Return True for an event of Anthropic."""
    match value:
        case {"type": str(kind)}:
            return kind in ANTHROPIC and "role" not in value
        case _:
            return False


FIRST = ("response.created", "message_start")
LAST = ("response.completed", "response.failed", "response.incomplete", "message_stop")


def _streams(events: Sequence[Any]) -> Iterator[list[Fields]]:
    """Separate streams that follow each other."""
    stream: list[Fields] = []
    for event in events:
        if stream and (event["type"] in FIRST or stream[-1]["type"] in LAST):
            yield stream
            stream = []
        stream.append(event)
    yield stream


def _read_responses(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    for events in _streams(fields["messages"]):
        # the last event repeats the whole response, unless the log is cut
        response: dict[str, Any] = {}
        for event in events:
            if isinstance(event.get("response"), Mapping):
                response |= event["response"]
        yield from reader.logged({**response, "output": response.get("output") or _items(events)})


def _items(events: Sequence[Fields]) -> list[Fields]:
    """Return the items of a cut stream: complete ones, and what there is of the others."""
    done: list[Fields] = []
    begun: dict[Any, dict[str, Any]] = {}
    for event in events:
        index = event.get("output_index")
        match event:
            case {"type": "response.output_item.done", "item": Mapping() as item}:
                done.append(cast("Fields", item))
                begun.pop(index, None)
            case {"type": "response.output_item.added", "item": Mapping() as item}:
                begun[index] = {**item}
            case {"type": str(kind), "delta": str(text)} if kind in DELTAS:
                item, name = begun.setdefault(index, {}), DELTAS[kind]
                item[name] = (item.get(name) or "") + text
            case _:
                pass
    return [*done, *filter(None, map(_begun, begun.values()))]


def _begun(item: Fields) -> Fields | None:
    """Return an item of which only pieces are known; None without any."""
    match item:
        case {"thought": text}:
            return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}
        case {"text": _} | {"refusal": _}:
            said = {"content": item.get("text"), "refusal": item.get("refusal")}
            return {"role": "assistant", **said}
        case {"type": str(), "arguments": _} | {"type": str(), "input": _}:
            return item
        case _:
            return None


def _read_anthropic(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    for events in _streams(fields["messages"]):
        message = _joined(events)
        about = {"id": message.pop("id", None)}
        yield reader.conversation(about, [read_message(message)])


def _joined(events: Sequence[Fields]) -> dict[str, Any]:
    """Join the events of an answer to a message."""
    message: dict[str, Any] = {"role": "assistant"}
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        match event:
            case {"type": "message_start", "message": Mapping() as started}:
                message |= without(started, "type", "content")
            case {"type": "content_block_start", "content_block": Mapping() as block}:
                blocks[event.get("index", 0)] = {**block}
            case {"type": "content_block_delta", "delta": Mapping() as delta}:
                _add(blocks.setdefault(event.get("index", 0), {"type": "text", "text": ""}), delta)
            case {"type": "error", "error": error}:
                message["error"] = error
            case {"type": "message_delta", "delta": Mapping() as delta}:
                usage = {**(message.get("usage") or {}), **(event.get("usage") or {})}
                message |= {**delta, "usage": usage}
            case _:
                pass
    return {**message, "content": [blocks[index] for index in sorted(blocks)]}


def _add(block: dict[str, Any], delta: Fields) -> None:
    for name in TEXTS:
        if isinstance(delta.get(name), str):
            block[name] = (block.get(name) or "") + delta[name]
    match delta:
        case {"partial_json": str(text)}:
            begun = block.get("input")
            block["input"] = (begun if isinstance(begun, str) else "") + text
        case {"citation": citation}:
            block["citations"] = [*(block.get("citations") or ()), citation]
        case _:
            pass


def _no_message(_event: Fields) -> Sequence[Message]:
    return ()


RESPONSES = Format(
    "openai-responses-stream",
    "OpenAI Responses API: streamed events",
    (items("messages", "events with a type that begins with response.", is_response_event),),
    _read_responses,
    is_message=is_response_event,
    messages=_no_message,
)

MESSAGES = Format(
    "anthropic-stream",
    "Anthropic messages: streamed events",
    (items("messages", "events such as message_start", is_anthropic_event),),
    _read_anthropic,
    is_message=is_anthropic_event,
    messages=_no_message,
)
