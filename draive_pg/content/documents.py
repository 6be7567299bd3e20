"""JSON documents and texts as PostgreSQL can keep them; others are refused, naming the place."""

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from reprlib import Repr
from typing import Any, cast
from uuid import UUID

from draive_pg.errors import StoredDataInvalid

__all__ = (
    "MAX_INTEGER",
    "check_limit",
    "check_mapping",
    "check_moment",
    "check_optional",
    "check_position",
    "check_schema",
    "check_sent",
    "check_size",
    "check_text",
    "check_texts",
    "check_timeout",
    "decode",
    "encode",
    "is_plain",
    "is_sound",
    "parse",
    "shown",
)

MAX_DEPTH = 256  # draive's own decoding recurses, and Python stops it not far beyond
MAX_BYTES = 268_435_455  # PostgreSQL keeps no larger JSONB
MAX_SENT = 1_000_000_000  # bytes; PostgreSQL takes little more at once
MAX_BITS = 14_000  # under Python's limit of 4,300 digits for reading an integer
MAX_INTEGER = 2**63 - 1  # PostgreSQL's BIGINT
MAX_PLACE = 200  # characters shown of where in a document something stands
MAX_SHOWN = 60  # characters shown of a value that is refused
MAX_NAME = 63  # of PostgreSQL's own names

PLAIN = frozenset({str, float, bool, type(None)})

DECODER = json.JSONDecoder()

REPR = Repr(maxstring=MAX_SHOWN, maxother=MAX_SHOWN)

# A JSON string (skipped), or a number written with a positive exponent, which JSONB would turn
# into an integer.
EXPONENT = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?e\+\d+')


def check_text(value: object, what: str) -> str:
    """Return a text that PostgreSQL can keep.

    Raises
    ------
    TypeError
        If the value is not a str.
    ValueError
        If it contains a NUL character or a lone surrogate, or is larger than 1 GB.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, not {type(value).__name__}")
    if fault := _fault(value):
        raise ValueError(f"{what} contains {fault}, which PostgreSQL cannot keep")
    return check_sent(value, f"{what} is")


def check_sent(text: str, what: str) -> str:
    """Return a text that fits into one message to the server, or raise ValueError."""
    if _exceeds(text, MAX_SENT):
        raise ValueError(f"{what} larger than the 1 GB that PostgreSQL takes at once")
    return text


def check_optional(value: object, what: str) -> str | None:
    """Return a text that PostgreSQL can keep or None, or raise TypeError or ValueError."""
    return None if value is None else check_text(value, what)


def check_texts(value: str | Iterable[str] | None, what: str) -> list[str] | None:
    """Return one or several texts as a list, or None; raise as `check_text` does."""
    if value is None:
        return None
    if not isinstance(value, Iterable):
        raise TypeError(f"{what} must be a str or several, not {type(value).__name__}")
    return [check_text(each, what) for each in ((value,) if isinstance(value, str) else value)]


def check_mapping(value: object, what: str) -> Mapping[str, Any]:
    """Return a mapping, or raise TypeError."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} must be a mapping, not {type(value).__name__}")
    return cast(Mapping[str, Any], value)


def check_limit(value: object, what: str) -> int | None:
    """Return a positive int or None, or raise ValueError."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_INTEGER:
        return value
    raise ValueError(f"{what} must be a positive int or None, not {value!r:.60}")


def check_moment(value: object, what: str) -> datetime | None:
    """Return a datetime with a time zone or None, or raise TypeError or ValueError."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise TypeError(f"{what} must be a datetime, not {type(value).__name__}")
    if value.utcoffset() is None:
        raise ValueError(f"{what} must have a time zone, such as datetime.now(UTC) has")
    return value


def check_position(value: object, what: str) -> int | None:
    """Return an int from 0 on or None, or raise ValueError."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_INTEGER:
        return value
    raise ValueError(f"{what} must be an int of 0 or more, or None, not {value!r:.60}")


def check_size(value: object) -> int:
    """Return how many connections a client may open, or raise ValueError."""
    size = check_limit(value, "max_size")
    if size is None:
        raise ValueError("max_size must be a positive int, not None")
    return size


def check_timeout(value: object) -> float | None:
    """Return a positive number of seconds or None, or raise TypeError or ValueError."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"timeout must be seconds or None, not {type(value).__name__}")
    if not 0 < value < math.inf:
        raise ValueError(f"timeout must be a positive number of seconds or None, not {value!r:.60}")
    return float(value)


def check_schema(value: object) -> str | None:
    """Return the name of a PostgreSQL schema or None, or raise TypeError or ValueError."""
    if value is None:
        return None
    name = check_text(value, "schema")
    # PostgreSQL cuts longer names, and would so let two schemas be one.
    if not 0 < len(name.encode()) <= MAX_NAME:
        raise ValueError(f"schema must have 1 to {MAX_NAME} bytes, not {len(name.encode())}")
    return name


def shown(value: object) -> str:
    """Return a value as an error message shows it: on one line, and cut to 60 characters."""
    text = " ".join(REPR.repr(value).split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def encode(document: object, what: str) -> str:
    """Return the JSON text of a document.

    Parameters
    ----------
    document : object
        Mappings with str keys, collections, str, int, float, bool, None; UUID, datetime, date and
        time are written as draive writes them.
    what : str
        What the document is, for errors.

    Raises
    ------
    TypeError
        For a value or a key of another type.
    ValueError
        For NaN, Infinity, NUL characters, lone surrogates, and documents nested deeper than
        256 levels or larger than 256 MB. The message says where in the document it stands.
    """
    try:
        plain = _plain(document, 0)
    except _Refused as refused:
        raise refused.kind(refused.message(what)) from None
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    if "e+" in text:
        text = EXPONENT.sub(_without_exponent, text)
    if _exceeds(text, MAX_BYTES):
        raise ValueError(f"{what} is larger than the 256 MB that PostgreSQL keeps in one document")
    return text


def parse(text: str, what: str) -> Any:
    """Return the document of a stored JSON text.

    Raises
    ------
    StoredDataInvalid
        If Python cannot hold what PostgreSQL can: integers of thousands of digits, deep nesting.
    """
    try:
        return decode(text)
    except (ValueError, RecursionError) as error:
        raise StoredDataInvalid(f"{what} cannot be read ({error!s:.120})") from error


def decode(text: str) -> Any:
    """Return the document of a JSON text with nothing around it, as PostgreSQL prints JSONB."""
    return DECODER.raw_decode(text)[0]  # `json.loads` would look for what is around it, twice


def is_plain(value: object) -> bool:
    """Tell whether JSON's own encoder writes a value as `encode` does, but for its checks."""
    kind = type(value)
    if kind in PLAIN:
        return True
    if kind is int:
        return cast(int, value).bit_length() <= MAX_BITS
    if isinstance(value, dict):
        members = cast(dict[object, object], value)
        return all(type(key) is str and is_plain(item) for key, item in members.items())
    if kind is list or kind is tuple:
        return all(map(is_plain, cast(list[object], value)))
    return False


def is_sound(text: str) -> bool:
    """Tell whether PostgreSQL certainly keeps a JSON text, and Python reads it back.

    In doubt it is False: the text may show only what looks like something that cannot be kept.
    """
    if "\\u0000" in text or "e+" in text or len(text) > MAX_BYTES // 4:
        return False
    if text.count("[") + text.count("{") > MAX_DEPTH:
        return False
    return text.isascii() or _fault(text) is None


class _Refused(Exception):
    """Why a document is refused; on its way up it learns where in the document that stands."""

    def __init__(self, kind: type[TypeError | ValueError], reason: str) -> None:
        super().__init__()
        self.kind = kind
        self.reason = reason
        self.steps: list[str] = []

    def message(self, what: str) -> str:
        place = f"{what}{''.join(reversed(self.steps))}"
        shown = place if len(place) <= MAX_PLACE else f"{place[:MAX_PLACE]}..."
        return f"{shown} {self.reason}"


def _plain(value: object, depth: int) -> object:
    """Copy a document into types that json writes, refusing what PostgreSQL cannot keep."""
    if depth > MAX_DEPTH:
        raise _Refused(ValueError, f"is nested deeper than {MAX_DEPTH} levels")
    match value:
        case str() | None | bool() | int() | float():
            return _scalar(value)
        case Mapping():
            return _members(cast(Mapping[object, object], value), depth + 1)
        case UUID():
            return value.hex
        case datetime() | date() | time():
            return value.isoformat()
        case Collection() if not isinstance(value, bytes | bytearray | memoryview):
            return _items(cast(Collection[object], value), depth + 1)
        case _:
            raise _Refused(TypeError, f"is {type(value).__name__}, which JSON cannot hold")


def _scalar(value: str | float | None) -> str | float | None:
    match value:
        case str() if (not value.isascii() or "\0" in value) and (fault := _fault(value)):
            raise _Refused(ValueError, f"contains {fault}, which PostgreSQL cannot keep")
        case int() if value.bit_length() > MAX_BITS:
            raise _Refused(ValueError, "has too many digits for Python to read it back")
        case float() if not math.isfinite(value):
            raise _Refused(ValueError, f"is {value}, which JSON cannot hold")
        case _:
            return value


def _members(members: Mapping[object, object], depth: int) -> dict[str, object]:
    plain: dict[str, object] = {}
    for key, item in members.items():
        if not isinstance(key, str):
            raise _Refused(TypeError, f"has the key {key!r:.60}, which is not a str")
        if fault := _fault(key):
            raise _Refused(
                ValueError,
                f"has the key {key!r:.60}, which contains {fault} that PostgreSQL cannot keep",
            )
        try:
            plain[key] = _plain(item, depth)
        except _Refused as refused:
            refused.steps.append(f".{key}")
            raise
    return plain


def _items(items: Collection[object], depth: int) -> list[object]:
    plain: list[object] = []
    for index, item in enumerate(items):
        try:
            plain.append(_plain(item, depth))
        except _Refused as refused:
            refused.steps.append(f"[{index}]")
            raise
    return plain


def _exceeds(text: str, limit: int) -> bool:
    """Tell whether a text has more bytes; large ones are encoded only where that decides."""
    return len(text) > limit // 4 and (len(text) > limit or len(text.encode()) > limit)


def _fault(text: str) -> str | None:
    if "\0" in text:
        return f"a NUL character (at {text.index('\0')})"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"a lone surrogate (at {error.start})"
    return None


def _without_exponent(match: re.Match[str]) -> str:
    text = match.group()
    return text if text.startswith('"') else f"{Decimal(text):f}.0"
