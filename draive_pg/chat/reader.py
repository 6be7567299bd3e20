"""Read the conversations of chat logs: containers, formats, sessions and identifiers."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from draive_pg.chat import formats
from draive_pg.chat.conversation import Call, Conversation, Result, Thought, Unreadable
from draive_pg.chat.files.containers import Containers
from draive_pg.chat.files.document import REST, Document, File
from draive_pg.chat.files.rows import plain
from draive_pg.chat.formats.format import Options, Reader, is_flat
from draive_pg.chat.formats.traces import is_exchange
from draive_pg.chat.parts import without
from draive_pg.chat.sessions import Messages, by_number, session_of
from draive_pg.errors import ChatInvalid

HASH_LENGTH = 12
MAX_ERRORS = 1_000  # that are kept in the order of the file


@dataclass(frozen=True, slots=True)
class Log:
    """A conversation of a log.

    Attributes
    ----------
    identifier : str
        Its identifier in the log; else the name of its file, which in a file of several
        conversations is followed by a hash of the content.
    conversation : Conversation
        The conversation.
    where : str
        Place in the file, for messages: ``logs.jsonl, line 17``.
    """

    identifier: str
    conversation: Conversation
    where: str


def read(source: Any, containers: Containers, options: Options) -> Iterator[Log | ChatInvalid]:
    """Read the conversations of a source.

    Parameters
    ----------
    source : Source
        What `Containers.read` takes.
    containers : Containers
        Reader of the documents.
    options : Options
        What to read.

    Yields
    ------
    Log | ChatInvalid
        Each conversation, or the error that explains why it cannot be read. Documents of the same
        unknown format are one error.
    """
    return _named(_Documents(source, containers, formats.reader(options)).read())


def read_messages(messages: Iterable[Mapping[str, Any]]) -> Conversation:
    """Read the messages of one conversation, of any format.

    Raises
    ------
    ChatInvalid
        If they are of no known format, or several conversations.
    """
    values = [plain(message) for message in messages]
    if not values:
        return Conversation(())
    try:
        found = list(formats.parse(values, formats.reader(Options())))
    except ValueError as error:
        raise ChatInvalid(str(error)) from error
    if len(found) != 1:
        raise ChatInvalid(f"expected the messages of one conversation, found {len(found)}")
    return found[0]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A conversation, or an error, and the file it is from."""

    result: Conversation | ChatInvalid
    document: Document


class _Documents:
    """The documents of a source, parsed one at a time."""

    def __init__(self, source: Any, containers: Containers, reader: Reader) -> None:
        self._source = source
        self._containers = containers
        self._reader = reader
        self._unknown: dict[tuple[File, str], str] = {}  # the first error by file and problem
        self._alike = Counter[tuple[File, str]]()

    def read(self) -> Iterator[_Parsed | ChatInvalid]:
        messages = Messages()
        header: Document | None = None
        whole: File | None = None  # the file of the last conversation that is one document
        broken: Document | None = None  # a message of a conversation with an invalid message
        for found in self._containers.read(self._source):
            if broken is not None and _continues(broken, found):
                continue
            if messages.last is not None and not _continues(messages.last, found):
                yield from self._conversations(messages, header)
                whole = messages.last.file
                messages, header = Messages(), None
            if isinstance(found.value, ChatInvalid):
                broken = messages.last
                messages, header = Messages(), None
                more = "" if broken is None else "; the messages around it are not imported"
                yield ChatInvalid(f"{found.value}{more}")
                continue
            alone = whole == found.file and not found.array
            if messages.last is not None or (self._reader.is_message(found.value) and not alone):
                messages.append(found)
                continue
            if header is not None:
                yield from self._parsed(header, header.value)
            header = found if _is_header(found) else None
            if header is None:
                yield from self._parsed(found, found.value)
                whole = found.file
        yield from self._conversations(messages, header)
        for problem, first in self._unknown.items():
            others = self._alike[problem] - 1
            more = f" (and {others:,} more like it)" if others else ""
            yield ChatInvalid(f"{first}{more}")

    def _conversations(self, messages: Messages, header: Document | None) -> Iterator[_Parsed]:
        """Parse messages that are documents of their own: by session, if they have one."""
        if messages.last is None:
            if header is not None:
                yield from self._parsed(header, header.value)
            return
        about = {} if header is None else without(header.value, "messages", "role")
        for field, found in messages.sessions():
            first = found[0]
            values = [each.value for each in found]
            if field is None:
                yield from self._parsed(first, {**about, "messages": values}, whole=True)
            else:
                # an exchange is a message only together with its session
                rows = [
                    without(value, field)
                    if isinstance(value, Mapping) and not is_exchange(value)
                    else value
                    for value in by_number(values)
                ]
                session = {field: session_of(first.value, field)}
                yield from self._parsed(first, {**about, **session, "messages": rows})

    def _parsed(self, found: Document, value: Any, *, whole: bool = False) -> Iterator[_Parsed]:
        place = replace(found, place="") if whole else found
        try:
            is_empty = True
            for conversation in formats.parse(value, self._reader):
                is_empty = False
                yield _Parsed(conversation, place)
            if is_empty:  # such as a session of which only events are left
                self._containers.ignore(_where(place))
        except formats.UnknownFormat as error:
            problem = (found.file, error.problem)
            self._unknown.setdefault(problem, f"{_where(place)}: {error}")
            self._alike[problem] += 1
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            problem = str(error) if isinstance(error, ValueError) else _described(error)
            yield _Parsed(ChatInvalid(f"{_where(place)}: {problem}"), place)


def _is_header(found: Document) -> bool:
    """Return True for a first line that may describe the messages after it."""
    value = found.value
    return (
        found.place == "line 1"
        and not found.array
        and isinstance(value, Mapping)
        and is_flat(value)
        and formats.detect(cast("Mapping[str, Any]", value)) is None
    )


def _continues(last: Document, found: Document) -> bool:
    return last.file == found.file and found.array in (last.array, REST)


def _described(error: Exception) -> str:
    return f"a field has an unexpected shape ({type(error).__name__}: {error})"


def _where(found: Document) -> str:
    return f"{found.file.name}, {found.place}" if found.place else found.file.name


def _named(items: Iterator[_Parsed | ChatInvalid]) -> Iterator[Log | ChatInvalid]:
    """Name the conversations; one that is alone in its file has the name of the file."""
    held: _Parsed | None = None
    errors: list[ChatInvalid] = []  # after the conversation that is held
    last: File | None = None  # the file of the conversation before
    for item in items:
        error = item if isinstance(item, ChatInvalid) else item.result
        if isinstance(error, ChatInvalid):
            errors.append(error)
            if held is None or len(errors) > MAX_ERRORS:  # a file may have any number of errors
                yield from errors
                errors = []
            continue
        parsed = cast("_Parsed", item)
        if held is not None:
            yield _log(held, alone=held.document.file not in (last, parsed.document.file))
            last = held.document.file
        yield from errors
        held, errors = parsed, []
    if held is not None:
        yield _log(held, alone=held.document.file != last)
    yield from errors


def _log(item: _Parsed, *, alone: bool) -> Log:
    conversation = cast("Conversation", item.result)
    where = item.document.file.name if alone else _where(item.document)
    stem = item.document.file.stem
    identifier = conversation.identifier
    if identifier is None:
        identifier = stem if alone else f"{stem}-{_hash(conversation)}"
    return Log(identifier, conversation, where)


def _hash(conversation: Conversation) -> str:
    content: list[Any] = [(each.role, each.blocks) for each in conversation.messages]
    times = [conversation.created, *(each.created for each in conversation.messages)]
    if any(times):
        content.append(times)
    if conversation.beside:
        content.append(conversation.beside)
    try:
        text = json.dumps(content, default=_jsonable, sort_keys=True)
    except TypeError:  # keys of several types, which have no order
        text = json.dumps(content, default=_jsonable, skipkeys=True)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:HASH_LENGTH]


def _jsonable(value: Any) -> Any:
    if isinstance(value, Thought | Call | Result | Unreadable):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return str(value)
