"""Sessions of Claude Code: JSON Lines of events."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import Fields, Format, Reader, branch, items
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
# Fields of messages and traces of other formats.
CONTENTS = frozenset(
    {"content", "message", "data", "role", "text", "input", "output", "inputs", "outputs"}
)
SPOKEN = ("user", "assistant")
SESSION = ("cwd", "gitBranch", "version")
# Lines with a title, the best first: that of the user.
TITLES: Mapping[str, str] = {
    "custom-title": "customTitle",
    "ai-title": "aiTitle",
    "summary": "summary",
}
MARKS = ("isMeta", "isCompactSummary", "isApiErrorMessage")


def is_event(value: Any) -> bool:
    """Return True for a line of a session."""
    match value:
        case {"type": "user" | "assistant", "message": Mapping()}:
            return "sessionId" in value or "uuid" in value
        case {"type": "summary", "summary": str()}:
            return "leafUuid" in value
        case {"type": str(kind), "sessionId": _} | {"type": str(kind), "messageId": _}:
            return kind in EVENTS or (kind.islower() and CONTENTS.isdisjoint(value))
        case _:
            return False


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    events: Sequence[Any] = [each for each in fields["messages"] if is_event(each)]
    titles = _titles(events)
    spoken = [each for each in events if each["type"] in SPOKEN]
    ignored = {f"{each['type']} events" for each in events} - {
        "user events",
        "assistant events",
        *(f"{kind} events" for kind in TITLES),
    }
    if None in titles:
        ignored.add("titles of other sessions")
    if any("toolUseResult" in each for each in spoken):
        ignored.add("toolUseResult")
    threads: dict[tuple[str, str], list[Any]] = {}
    seen: set[tuple[object, object]] = set()
    for each in spoken:
        line = each.get("sessionId"), each.get("uuid")
        if each.get("uuid") and line in seen:
            continue  # written again when the session was resumed
        seen.add(line)
        agent = (each.get("agentId") or "sidechain") if each.get("isSidechain") else ""
        threads.setdefault((str(each.get("sessionId") or ""), str(agent)), []).append(each)
    for (session, agent), thread in threads.items():
        about = {name: thread[0].get(name) for name in SESSION}
        if not agent and (found := titles.get(session)):
            about["title"] = next(found[kind] for kind in TITLES if kind in found)
        about["identifier"] = f"{session}/{agent}" if agent else session
        paths = list(_paths(thread, _parents(events)))
        others = (
            {"other branches"} if len(paths) > 1 and reader.options.branches == "active" else ()
        )
        for leaf, path in paths if reader.options.branches == "all" else paths[:1]:
            found = reader.conversation(about, list(_messages(path)))
            yield branch(found, leaf, frozenset((*ignored, *others)))


def _titles(events: Iterable[Any]) -> Mapping[str | None, Mapping[str, str]]:
    """Return the titles of each session by the types of their lines.

    A summary names the last line of what it summarizes, which may be in the file of another
    session; None is for those.
    """
    sessions = {
        each["uuid"]: str(each.get("sessionId") or "") for each in events if each.get("uuid")
    }
    titles: dict[str | None, dict[str, str]] = {}
    for each in events:
        kind = each["type"]
        title = each.get(TITLES.get(kind))
        if isinstance(title, str) and title:
            session = each.get("sessionId") or sessions.get(each.get("leafUuid"))
            titles.setdefault(session, {})[kind] = title
    return titles


def _parents(events: Iterable[Any]) -> Mapping[str, str | None]:
    """Return the nearest message before each line; None for the first one."""
    lines = {each["uuid"]: each for each in events if each.get("uuid")}
    parents: dict[str, str | None] = {}
    for uuid, line in lines.items():
        parent = line.get("parentUuid") or line.get("logicalParentUuid")
        seen = {uuid}
        while parent in lines and lines[parent]["type"] not in SPOKEN and parent not in seen:
            seen.add(parent)
            parent = lines[parent].get("parentUuid") or lines[parent].get("logicalParentUuid")
        parents[uuid] = parent
    return parents


def _paths(
    thread: Sequence[Any], parents: Mapping[str, str | None]
) -> Iterator[tuple[str | None, Sequence[Any]]]:
    """Yield the lines of each branch, that of the last line first, and the leaves of the others.

    After a rewind, the new question has the same parent as the one that it replaces. Lines of
    parallel calls have the same parent, too, and are no branches.
    """
    siblings: dict[str | None, list[str]] = {}
    is_compacted = any(each.get("isCompactSummary") for each in thread)
    for each in filter(_is_question, thread):
        parent = parents[each["uuid"]]
        if parent is not None or ("parentUuid" in each and not is_compacted):
            siblings.setdefault(parent, []).append(each["uuid"])
    left = thread
    leaf: str | None = None
    while left:
        active: set[str] = set()
        node = left[-1].get("uuid")
        while node is not None and node not in active:
            active.add(node)
            node = parents.get(node)
        hidden = {
            uuid
            for questions in siblings.values()
            if not active.isdisjoint(questions)
            for uuid in questions
            if uuid not in active
        }
        for each in thread:
            if parents.get(each.get("uuid")) in hidden:
                hidden.add(each["uuid"])
        yield leaf, [each for each in thread if each.get("uuid") not in hidden]
        left = [each for each in left if each.get("uuid") in hidden]
        leaf = left[-1]["uuid"] if left else None


def _is_question(event: Any) -> bool:
    content = event["message"].get("content")
    has_result = isinstance(content, list) and any(map(_is_result, content))
    return bool(event["type"] == "user" and event.get("uuid") and not has_result)


def _is_result(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "tool_result"


def _messages(thread: Sequence[Any]) -> Iterator[Message]:
    """Read the messages; each block of an answer is a line of its own, with the same id."""
    for _, lines in groupby(thread, key=_key):
        first, *others = [_message(line) for line in lines]
        blocks = [block for message in (first, *others) for block in message.blocks]
        # the last line has the usage of the whole answer
        meta = {name: value for each in (first, *others) for name, value in each.meta.items()}
        yield Message(first.role, blocks, first.created, meta, first.label)


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
    messages=lambda event: [_message(event)] if event["type"] in SPOKEN else [],
    splits_sessions=True,
)
