"""Sessions of Claude Code: JSON Lines of events."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, cast

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import Fields, Format, Reader, items
from draive_pg.chat.parts import without
from draive_pg.chat.roles import read_message

EVENTS = (
    "user",
    "assistant",
    "system",
    "summary",
    "progress",
    "attachment",
    "custom-title",
    "ai-title",
    "last-prompt",
    "permission-mode",
    "file-history-snapshot",
    "queue-operation",
)
CONTENTS = frozenset({"content", "message", "data", "role", "text"})  # of messages of other formats
SESSION = ("cwd", "gitBranch", "version")
MARKS = ("isMeta", "isCompactSummary", "isApiErrorMessage")


def is_event(value: Any) -> bool:
    """Return True for a line of a session."""
    match value:
        case {"type": "user" | "assistant", "message": Mapping()}:
            return "sessionId" in value or "uuid" in value
        case {"type": "summary", "summary": str()}:
            return "leafUuid" in value
        case {"type": str(kind), "sessionId": _} | {"type": str(kind), "messageId": _}:
            return kind in EVENTS or CONTENTS.isdisjoint(value)
        case _:
            return False


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    events: Sequence[Any] = [each for each in fields["messages"] if is_event(each)]
    titles = [each["summary"] for each in events if each["type"] == "summary"]
    spoken = [each for each in events if each["type"] in ("user", "assistant")]
    ignored = {f"{each['type']} events" for each in events} - {
        "user events",
        "assistant events",
        "summary events",
    }
    ignored |= {name for each in spoken for name in ("toolUseResult",) if name in each}
    threads: dict[tuple[str, str], list[Any]] = {}
    for each in spoken:
        agent = (each.get("agentId") or "sidechain") if each.get("isSidechain") else ""
        threads.setdefault((str(each.get("sessionId") or ""), str(agent)), []).append(each)
    for (session, agent), thread in threads.items():
        about = {name: thread[0].get(name) for name in SESSION}
        if titles and not agent:
            about["title"] = titles[-1]
        about["identifier"] = f"{session}/{agent}" if agent else session
        found = reader.conversation(about, list(_messages(thread)))
        yield replace(found, ignored=found.ignored | ignored)


def _messages(thread: Sequence[Any]) -> Iterator[Message]:
    """Read the messages; each block of an answer is a line of its own, with the same id."""
    for _, lines in groupby(thread, key=_key):
        first, *others = [_message(line) for line in lines]
        blocks = [block for message in (first, *others) for block in message.blocks]
        yield Message(first.role, blocks, first.created, first.meta, first.label)


def _key(event: Any) -> object:
    return event["message"].get("id") or event.get("uuid") or id(event)


def _message(event: Any) -> Message:
    message = cast("Fields", event["message"])
    kept = without(message, "id", "type", "role", "stop_reason", "stop_sequence")
    marks = {key: True for key in MARKS if event.get(key) is True}
    times = {"timestamp": event.get("timestamp")}
    return read_message({"role": message.get("role", event["type"]), **kept, **marks, **times})


FORMAT = Format(
    "claude-code",
    "Claude Code session (JSON Lines)",
    (items("messages", "events with a type and a sessionId", is_event),),
    _read,
    is_message=is_event,
    messages=lambda event: [_message(event)] if event["type"] in ("user", "assistant") else [],
    splits_sessions=True,
)
