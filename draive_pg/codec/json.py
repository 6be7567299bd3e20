"""Encode and decode JSON documents that JSONB can store; errors name the place of a value."""

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from operator import is_
from typing import Any, Literal, cast
from uuid import UUID

from draive_pg.codec.validation import check_mapping, exceeds, fault
from draive_pg.errors import StoredDataInvalid

MAX_DEPTH = 256  # draive's decoding is recursive and hits Python's limit soon after
MAX_BYTES = 268_435_455  # PostgreSQL's limit for JSONB
MAX_BITS = 14_000  # below Python's limit of 4,300 digits for parsing an integer
MIN_EXPONENT = 1e16  # Python writes larger floats with a positive exponent
MAX_PLACE = 200  # characters of a place in an error message

type OnInvalid = Literal["refuse", "replace"]
"""What to do with characters that PostgreSQL cannot store: NUL and lone surrogates."""

INVALID = re.compile("[\0\ud800-\udfff]")
REPLACEMENT = "\ufffd"

DECODER = json.JSONDecoder()
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

# A JSON string (skipped), or a number with a positive exponent, which JSONB would turn into an
# integer.
EXPONENT = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?e\+\d+')


def encode(document: object, what: str) -> str:
    """Encode a document as JSON text.

    Parameters
    ----------
    document : object
        Mappings with str keys, collections, str, int, float, bool, None; UUID, datetime, date and
        time are written as draive writes them.
    what : str
        Name of the document, for errors.

    Raises
    ------
    TypeError
        For a value or a key of another type.
    ValueError
        For NaN, Infinity, NUL characters, lone surrogates, and documents nested deeper than
        256 levels or larger than 256 MB. The message names the place in the document.
    """
    if (text := _encoded_plain(document)) is not None:
        return text
    try:
        plain = _plain(document, 0)
    except _Refused as refused:
        raise refused.kind(refused.message(what)) from None
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    if "e+" in text:
        text = EXPONENT.sub(_without_exponent, text)
    if exceeds(text, MAX_BYTES):
        raise ValueError(f"{what} is larger than the 256 MB that PostgreSQL keeps in one document")
    return text


def _encoded_plain(document: object) -> str | None:
    """Encode a document that needs neither a copy nor a closer look, in half of the time."""
    text = ENCODER.encode(document) if is_plain(document) else None
    return text if text is not None and _is_storable(text) else None


def encode_list(documents: Sequence[object], names: Iterable[str]) -> str:
    """Encode documents as a JSON array, like `encode`; each has a name for errors."""
    if (text := _encoded_plain(documents)) is not None:
        return text
    return f"[{','.join(map(encode, documents, names))}]"


def encode_mapping(value: object, what: str) -> str | None:
    """Encode a mapping as JSON text, None as None; raise as `encode` does."""
    return None if value is None else encode(check_mapping(value, what), what)


def check_invalid(value: object) -> bool:
    """Return whether to replace characters that PostgreSQL cannot store, or raise ValueError."""
    if value not in ("refuse", "replace"):
        raise ValueError(f"invalid must be refuse or replace, not {value!r:.60}")
    return value == "replace"


def storable(value: Any) -> Any:
    """Return a document, or a copy with U+FFFD for characters that PostgreSQL cannot store."""
    match value:
        case str():
            return INVALID.sub(REPLACEMENT, value) if INVALID.search(value) else value
        case Mapping():
            members = cast("Mapping[Any, Any]", value)
            keys, values = [*members], [*members.values()]
            new_keys, new_values = storable(keys), storable(values)
            same = new_keys is keys and new_values is values
            return members if same else dict(zip(new_keys, new_values, strict=True))
        case Collection() if not isinstance(value, bytes | bytearray | memoryview):
            collection = cast("Collection[Any]", value)
            items = [*collection]
            new_items = [storable(item) for item in items]
            return collection if all(map(is_, items, new_items)) else new_items
        case _:
            return value


def parse(text: str, what: str) -> Any:
    """Decode a stored JSON text.

    Raises
    ------
    StoredDataInvalid
        If Python cannot represent it: integers of thousands of digits, deep nesting.
    """
    try:
        return decode(text)
    except (ValueError, RecursionError) as error:
        raise StoredDataInvalid(f"{what} cannot be read ({reason(error):.120})") from error


def reason(error: ValueError | RecursionError) -> str:
    """Return why a text cannot be decoded; Python's texts about recursion vary by version."""
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def decode(text: str) -> Any:
    """Decode JSON text without surrounding whitespace, as PostgreSQL prints JSONB."""
    return DECODER.raw_decode(text)[0]  # json.loads would scan for whitespace twice


def is_plain(value: object) -> bool:
    """Return whether plain `json` would produce the same text as `encode`."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):  # by level, with few steps of Python
        keys: list[Any] = []
        below: list[Any] = []
        for each in level:
            kind = each.__class__
            if kind is str or each is None or kind is bool:
                continue
            if kind is dict:
                keys += each
                below += each.values()
            elif kind is list or kind is tuple:
                below += each
            elif kind is int:
                if each.bit_length() > MAX_BITS:
                    return False
            elif kind is not float or not -MIN_EXPONENT < each < MIN_EXPONENT:
                return False
        if not {str}.issuperset(map(type, keys)):
            return False
        if not below:
            return True
        level = below
    return False


def is_sound(text: str) -> bool:
    """Return whether JSONB can certainly store the JSON text of plain values.

    False may be a false alarm: the text is searched without parsing it.
    """
    return text.count("[") + text.count("{") <= MAX_DEPTH and _is_storable(text)


def _is_storable(text: str) -> bool:
    """Return whether JSONB can certainly store the texts of a JSON text."""
    if "\\u0000" in text or len(text) > MAX_BYTES // 4:
        return False
    return text.isascii() or fault(text) is None


class _Refused(Exception):
    """A value that cannot be stored; each level that it passes adds its step to the place."""

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
    """Copy a document into types that json encodes, or raise _Refused."""
    if depth > MAX_DEPTH:
        raise _Refused(ValueError, f"is nested deeper than {MAX_DEPTH} levels")
    match value:
        case str() | None | bool() | int() | float():
            return _scalar(value)
        case Mapping():
            return _members(cast("Mapping[object, object]", value), depth + 1)
        case UUID():
            return value.hex
        case datetime() | date() | time():
            return value.isoformat()
        case Collection() if not isinstance(value, bytes | bytearray | memoryview):
            return _items(cast("Collection[object]", value), depth + 1)
        case _:
            raise _Refused(TypeError, f"is {type(value).__name__}, which JSON cannot hold")


def _scalar(value: str | float | None) -> str | float | None:
    match value:
        case str() if (not value.isascii() or "\0" in value) and (wrong := fault(value)):
            raise _Refused(ValueError, f"contains {wrong}, which PostgreSQL cannot keep")
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
        if wrong := fault(key):
            raise _Refused(
                ValueError,
                f"has the key {key!r:.60}, which contains {wrong} that PostgreSQL cannot keep",
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


def _without_exponent(match: re.Match[str]) -> str:
    text = match.group()
    return text if text.startswith('"') else f"{Decimal(text):f}.0"
