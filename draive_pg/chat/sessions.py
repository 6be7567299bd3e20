"""Group messages that are documents of their own by their sessions."""

import json
import pickle
import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from operator import itemgetter
from typing import Any, cast

from draive_pg.chat import formats
from draive_pg.chat.files.document import Document
from draive_pg.chat.formats.format import SESSIONS, whole

# Fields with the place of a message in its session.
NUMBERS = ("turn", "step", "index", "sequence", "order", "message_index", "turn_index", "position")
MAX_HELD = 20_000  # messages in memory; more of them are kept on disk, if they have sessions


class Messages:
    """Messages in order; many messages of sessions are kept in a temporary file.

    Attributes
    ----------
    last : Document | None
        The newest message.
    """

    def __init__(self) -> None:
        self.last: Document | None = None
        self._held: list[Document] = []
        self._disk: _Disk | None = None

    def append(self, message: Document) -> None:
        """Add a message."""
        self.last = message
        if self._disk is not None:
            self._disk.append(message)
            return
        self._held.append(message)
        if len(self._held) == MAX_HELD and (field := _session_field(self._held)) is not None:
            self._disk = _Disk(field, self._held)
            self._held = []

    def sessions(self) -> Iterator[tuple[str | None, Sequence[Document]]]:
        """Yield the name of the field of the session, and the messages of each session.

        Without sessions, yield None and all messages.
        """
        if self._disk is not None:
            yield from self._disk.sessions()
            return
        field = _session_field(self._held)
        sessions: dict[str | None, list[Document]] = {}
        for each in self._held:
            sessions.setdefault(_session(each, field) if field else None, []).append(each)
        yield from ((field, messages) for messages in sessions.values())


class _Disk:
    """Messages in a temporary database of SQLite, which is removed when it is closed."""

    def __init__(self, field: str, messages: Sequence[Document]) -> None:
        self._field = field
        self._database = sqlite3.connect("", check_same_thread=False)
        self._database.execute(
            "CREATE TABLE message (number INTEGER PRIMARY KEY, session TEXT, document BLOB)"
        )
        for each in messages:
            self.append(each)

    def append(self, message: Document) -> None:
        with _closed_by_errors(self._database):
            self._database.execute(
                "INSERT INTO message (session, document) VALUES (?, ?)",
                (_session(message, self._field), pickle.dumps(message)),
            )

    def sessions(self) -> Iterator[tuple[str, Sequence[Document]]]:
        with closing(self._database), _closed_by_errors(self._database):
            self._database.execute("CREATE INDEX message_session ON message (session, number)")
            sessions = self._database.execute(
                "SELECT session FROM message GROUP BY session ORDER BY min(number)"
            )
            for session in sessions:
                found = self._database.execute(
                    "SELECT document FROM message WHERE session = ? ORDER BY number", session
                )
                # pickled above
                yield self._field, [pickle.loads(document) for (document,) in found]  # noqa: S301


@contextmanager
def _closed_by_errors(database: sqlite3.Connection) -> Generator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        database.close()
        raise OSError(
            f"a temporary file cannot be written: {error}; choose its directory with $TMPDIR"
        ) from error


def by_number(rows: Sequence[Any]) -> Sequence[Any]:
    """Return the rows of a session in the order of their numbers, if each has its own."""
    for name in NUMBERS:
        numbers = [_number(row, name) for row in rows]
        if None not in numbers and len(set(numbers)) == len(numbers):
            return [row for _, row in sorted(zip(numbers, rows, strict=True), key=itemgetter(0))]
    return rows


def _number(row: Any, name: str) -> int | None:
    match session_of(row, name):
        case bool():
            return None
        case int(number):
            return number
        case str(text) if text.isdecimal():  # of CSV
            return int(text)
        case _:
            return None


def session_of(value: Any, field: str) -> Any:
    """Return the session of a message; None without one."""
    return (
        whole(cast("Mapping[str, Any]", value).get(field)) if isinstance(value, Mapping) else None
    )


def _session(message: Document, field: str) -> str:
    """Return the session of a message as ASCII text, whatever its type is."""
    return json.dumps(session_of(message.value, field), default=str)


def _session_field(messages: Sequence[Document]) -> str | None:
    """Return the name of the field with the session; None without one."""
    values = [each.value for each in messages]
    name = next((name for name in SESSIONS if _has_session(values, name)), None)
    found = None if name is None else formats.detect({"messages": values})
    return None if found is not None and found.splits_sessions else name


def _has_session(values: Sequence[Any], name: str) -> bool:
    return any(
        isinstance(found, str | int) or (isinstance(found, float) and found.is_integer())
        for found in (session_of(value, name) for value in values)
    )
