"""Sessions of Codex: JSON Lines with items of the Responses API."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from draive_pg.chat.conversation import Conversation
from draive_pg.chat.formats.format import Fields, Format, Need, Reader, branch, joined

META, ITEM = "session_meta", "response_item"
INSTRUCTIONS = ("instructions", "base_instructions")


def is_line(value: Any) -> bool:
    """Return True for a line of a session."""
    match value:
        case {"type": str(), "payload": Mapping(), "timestamp": _}:
            return True
        case _:
            return False


def _has_items(fields: Fields) -> bool:
    lines = fields.get("messages")
    return (
        isinstance(lines, list)
        and all(map(is_line, lines))
        and any(line["type"] in (META, ITEM) for line in lines)
    )


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    for session in _sessions(fields["messages"]):
        about: Fields = next((each["payload"] for each in session if each["type"] == META), {})
        listed = [_item(each) for each in session if each["type"] == ITEM]
        known = [each for each in listed if reader.is_message(each)]
        unknown = (each for each in listed if not reader.is_message(each))
        ignored = {f"{each['type']} lines" for each in session if each["type"] not in (META, ITEM)}
        ignored |= {f"{each.get('type')} items" for each in unknown}
        asked = reader.exchange({"system": _instructions(about)}).asked
        answered = joined(message for each in known for message in reader.message(each))
        found = reader.conversation(about, [*asked, *answered], *INSTRUCTIONS)
        yield branch(found, None, frozenset(ignored))


def _sessions(lines: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the lines of each session: it begins with its metadata, and those of its origin."""
    session: list[Any] = []
    for line in lines:
        if line["type"] == META and any(each["type"] == ITEM for each in session):
            yield session
            session = []
        session.append(line)
    if session:
        yield session


def _instructions(about: Fields) -> str | None:
    match about:
        case {"instructions": str(text)} | {"base_instructions": {"text": str(text)}}:
            return text
        case _:
            return None


def _item(line: Any) -> Fields:
    return {"timestamp": line["timestamp"], **line["payload"]}


FORMAT = Format(
    "codex",
    "Codex session (JSON Lines)",
    (Need(f"lines of the types {META} and {ITEM} with a payload", _has_items),),
    _read,
    is_message=is_line,
    messages=lambda _: [],  # only `_read` reads lines
    splits_sessions=True,
)
