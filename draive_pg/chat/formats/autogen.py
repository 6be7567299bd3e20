"""AutoGen: messages with a source and a type, in logs of teams and in states of agents."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from draive_pg.chat.conversation import Block, Call, Conversation, Message, Result, Thought
from draive_pg.chat.formats.format import Fields, Format, Need, Reader
from draive_pg.chat.parts import as_text, decoded, read_content, read_result, rest, without
from draive_pg.chat.times import read_time
from draive_pg.codec.elements import data_part, text_part

RESULTS = ("FunctionExecutionResultMessage", "ToolCallExecutionEvent")
USERS = ("user", "user_proxy")
MAX_LEVELS = 24  # of teams in teams
READ = (
    "type",
    "id",
    "source",
    "models_usage",
    "metadata",
    "created_at",
    "content",
    "thought",
    "tool_calls",
    "results",
)
PIECES = ("ThoughtEvent", "ToolCallRequestEvent")
TYPES = (
    "SystemMessage",
    "UserMessage",
    "AssistantMessage",
    "TextMessage",
    "MultiModalMessage",
    "ToolCallRequestEvent",
    "ToolCallSummaryMessage",
    "ThoughtEvent",
    "StopMessage",
    "HandoffMessage",
    *RESULTS,
)


def is_message(value: Any) -> bool:
    """Return True for a message of AutoGen."""
    match value:
        case {"type": str(kind), "content": _}:
            return kind in TYPES or kind.startswith("StructuredMessage")
        case _:
            return False


def _messages(fields: Fields) -> Sequence[Message]:
    kind, source = fields["type"], fields.get("source")
    created = read_time(fields.get("created_at"))
    blocks = _blocks(fields)
    meta = rest(
        {
            "name": source,
            "usage": fields.get("models_usage"),
            **(fields.get("metadata") or {}),
            **without(fields, *READ),
        }
    )
    if kind in RESULTS:
        return [Message("tool", blocks, created, {}, kind)]
    if kind == "SystemMessage":
        return [Message("system", blocks, created, {}, kind)]
    role = "user" if kind == "UserMessage" or source in USERS else "assistant"
    return [Message(role, blocks, created, meta, kind, kind in PIECES)]


def _blocks(fields: Fields) -> list[Block]:
    content = fields["content"]
    blocks: list[Block] = []
    if isinstance(thought := fields.get("thought"), str) and thought:
        blocks.append(Thought([text_part(thought)]))
    if fields["type"] == "ThoughtEvent":
        return [Thought([text_part(as_text(content))])]
    for each in content if isinstance(content, list) else [content]:
        match each:
            case {"call_id": call, "content": found}:
                failed = each.get("is_error") is True
                blocks.append(Result(read_result(found), call, each.get("name"), failed))
            case {"name": str(tool), "arguments": arguments}:
                blocks.append(Call(tool, arguments, each.get("id")))
            case {"data": str(data)} if fields["type"] == "MultiModalMessage":
                blocks.append(data_part(decoded(data), "image/png"))
            case Mapping() if fields["type"] not in TYPES:
                blocks.append(text_part(as_text(each)))
            case _:
                blocks += read_content([each])
    return blocks


def _lists(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[Sequence[str], list[Any]]]:
    """Yield the lists of messages in a log or state, each with its place."""
    match value:
        case list() if any(map(is_message, value)):
            yield path, value
        case Mapping() if len(path) < MAX_LEVELS:
            for name, each in value.items():
                yield from _lists(each, (*path, str(name)))
        case _:
            return


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    lists = list(_lists(fields))
    about = {name: value for name, value in fields.items() if not any(_lists({name: value}))}
    for path, values in lists:
        found = reader.conversation(about, reader.messages(filter(is_message, values)))
        others = {f"{each.get('type')} messages" for each in values if not is_message(each)}
        found = replace(found, ignored=found.ignored | others)
        agent = next((part for part in reversed(path) if part not in STRUCTURE), None)
        if len(lists) > 1:
            identifier = "/".join(part for part in (found.identifier, agent) if part)
            found = replace(found, identifier=identifier or None)
        yield found


STRUCTURE = (
    "messages",
    "llm_context",
    "model_context",
    "llm_messages",
    "agent_state",
    "agent_states",
    "message_thread",
)

FORMAT = Format(
    "autogen",
    "AutoGen messages, and states of agents and teams",
    (
        Need(
            f"messages with a type such as {', '.join(TYPES[:4])}",
            lambda fields: any(_lists(fields)),
        ),
    ),
    _read,
    is_message=is_message,
    messages=_messages,
)
