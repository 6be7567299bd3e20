"""Read conversations from files of chat logs. The format is detected from the content.

A file is UTF-8 text, with or without BOM, plain or gzipped, and contains

- JSON: one conversation, or a list of conversations;
- JSON Lines: one conversation a line, or one conversation with a message a line.

A conversation is a list of messages, or an object with that list in its field ``messages``, else
in the only field whose value is a list of objects that all have a ``role``. Its identifier is the
first of the object's fields ``identifier``, ``id``, ``conversation_id``, ``thread_id`` and
``session_id`` that holds a text or an integer, else the name of the file without its endings,
followed in a file of several by the number of the conversation (``logs-07``).
"""

import gzip
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from draive_pg.codec.validation import MAX_SENT, shown
from draive_pg.errors import ChatInvalid
from draive_pg.input_file import open_input

GZIP = b"\x1f\x8b"
IDENTIFIERS = ("identifier", "id", "conversation_id", "thread_id", "session_id")
OPENING = re.compile(r"\s*[\[{]\s*\n")


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages of one conversation in a file.

    Attributes
    ----------
    identifier : str
        Identifier of the conversation in the file, or one made of the file name.
    messages : Sequence[Mapping[str, Any]]
        The messages, unchanged.
    where : str
        Place in the file, for messages: ``logs.jsonl, line 17``.
    """

    identifier: str
    messages: Sequence[Mapping[str, Any]]
    where: str


def read(path: Path) -> list[Conversation | ChatInvalid]:
    """Read the conversations of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list[Conversation | ChatInvalid]
        In file order, each conversation, or the error that explains why it cannot be read. A
        duplicate identifier is an error, too.

    Raises
    ------
    ChatInvalid
        If nothing can be read: the file is missing, empty, not UTF-8, neither JSON nor JSON Lines,
        or contains a single invalid conversation.
    """
    name = _printable(path.name or str(path))
    entries = _entries(_text(path, name), name)
    if not entries:
        raise ChatInvalid(f"{name}: expected conversations, found an empty list")
    results = _conversations(entries, _without_endings(path))
    match results:
        case [ChatInvalid() as error]:
            raise error
        case _:
            return results


class _Entry(NamedTuple):
    where: str
    value: Any  # of JSON, or the ChatInvalid that stands for it


def _text(path: Path, name: str) -> str:
    try:
        text = _unpacked(path, name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ChatInvalid(f"{name}: not UTF-8 (at byte {error.start})") from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ChatInvalid(f"{name}: broken gzip data: {error}") from error
    except ChatInvalid:
        raise
    except (OSError, ValueError) as error:
        raise ChatInvalid(f"{name}: cannot be read: {error}") from error
    if not text.strip():
        raise ChatInvalid(f"{name}: empty")
    return text


def _unpacked(path: Path, name: str) -> bytes:
    data = bytearray()
    with open_input(path) as raw:
        packed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        file = gzip.GzipFile(fileobj=raw) if packed else raw
        while chunk := file.read(1 << 20):
            data += chunk
            if len(data) > MAX_SENT:
                raise ChatInvalid(f"{name}: larger than {MAX_SENT:,} bytes; split it")
    return bytes(data)


def _entries(text: str, name: str) -> list[_Entry]:
    document = _decoded(text, name)
    if isinstance(document, ChatInvalid):
        lines = _lines(text, name)
        if not _is_json_lines(text, lines):
            raise document
        return _of_lines(lines, name)
    if _is_message(document):
        return [_Entry(name, [document])]
    if isinstance(document, list) and not any(map(_is_message, cast("list[Any]", document))):
        return [
            _Entry(f"{name}, conversation {number}", value)
            for number, value in enumerate(cast("list[Any]", document), start=1)
        ]
    return [_Entry(name, document)]


def _lines(text: str, name: str) -> list[_Entry]:
    # not splitlines: a JSON string may hold the other line separators of Unicode
    return [
        _Entry(f"{name}, line {number}", _decoded(line, name, first=number))
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]


def _is_json_lines(text: str, lines: Sequence[_Entry]) -> bool:
    """Distinguish JSON Lines with invalid lines from one invalid JSON document.

    Such a document begins with a line of one bracket, or few of its lines are JSON themselves.
    """
    if OPENING.match(text):
        return False
    sound = [isinstance(value, dict | list) for _, value in lines]
    return len(sound) > 1 and (sound[0] or 2 * sum(sound) >= len(sound))


def _of_lines(lines: list[_Entry], name: str) -> list[_Entry]:
    errors = [value for _, value in lines if isinstance(value, ChatInvalid)]
    sound = [value for _, value in lines if not isinstance(value, ChatInvalid)]
    if not _is_message(sound[0]):
        return lines
    return [_Entry(name, errors[0] if errors else sound)]


def _decoded(text: str, name: str, *, first: int = 1) -> Any:
    """Decode JSON, or return a ChatInvalid with line numbers from ``first``."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first + error.lineno - 1
        return ChatInvalid(f"{name}, line {line}, column {error.colno}: not JSON: {error.msg}")
    except (ValueError, RecursionError) as error:
        return ChatInvalid(f"{name}, line {first}: JSON that cannot be read: {error}")


def _conversations(entries: Sequence[_Entry], stem: str) -> list[Conversation | ChatInvalid]:
    results: list[Conversation | ChatInvalid] = []
    places: dict[str, str] = {}
    width = len(str(len(entries)))
    for number, entry in enumerate(entries, start=1):
        numbered = stem if len(entries) == 1 else f"{stem}-{number:0{width}}"
        result = _conversation(entry, numbered)
        if isinstance(result, Conversation):
            first = places.setdefault(result.identifier, result.where)
            if first != result.where:
                identifier = shown(result.identifier)
                result = ChatInvalid(f"{result.where}: {first} has the identifier {identifier} too")
        results.append(result)
    return results


def _conversation(entry: _Entry, numbered: str) -> Conversation | ChatInvalid:
    where, value = entry
    if isinstance(value, ChatInvalid):
        return value
    try:
        messages = _messages(value)
    except ValueError as error:
        return ChatInvalid(f"{where}: {error}")
    identifier = _identifier(cast("dict[str, Any]", value)) if isinstance(value, dict) else None
    return Conversation(identifier=identifier or numbered, messages=messages, where=where)


def _messages(value: Any) -> Sequence[Mapping[str, Any]]:
    match value:
        case list():
            messages = cast("list[Any]", value)
        case {"messages": list()}:
            messages = cast("list[Any]", value["messages"])
        case {"messages": found}:
            raise ValueError(f"expected messages to be a list, found {shown(found)}")
        case dict():
            messages = _only_messages(cast("dict[str, Any]", value))
        case _:
            raise ValueError(f"expected a conversation, found {shown(value)}")
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, dict):
            raise ValueError(f"message {number}: expected an object, found {shown(message)}")
    return messages


def _only_messages(fields: Mapping[str, Any]) -> list[Any]:
    if {"identifier", "variables", "elements"} <= fields.keys():
        raise ValueError(
            "this is a whole memory: draive-pg memories import takes files of "
            "draive-pg memories export"
        )
    names = [name for name, value in fields.items() if _are_messages(value)]
    match names:
        case [name]:
            return fields[name]
        case []:
            raise ValueError("expected a field with messages, a list of objects that have a role")
        case _:
            found = shown(", ".join(names))
            raise ValueError(f"expected one field with messages, found {found}")


def _are_messages(value: Any) -> bool:
    return (
        bool(value) and isinstance(value, list) and all(map(_is_message, cast("list[Any]", value)))
    )


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value and "messages" not in value


def _identifier(fields: Mapping[str, Any]) -> str | None:
    for key in IDENTIFIERS:
        value = fields.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return None


def _without_endings(path: Path) -> str:
    return Path(path.stem if path.suffix == ".gz" else path.name).stem


def _printable(name: str) -> str:
    return name if name.isprintable() else repr(name)
