"""Validate arguments before any I/O; errors name the argument."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from reprlib import Repr
from typing import Any, TypeIs, cast

MAX_SENT = 1_000_000_000  # bytes; a message to PostgreSQL can be little larger
MAX_INTEGER = 2**63 - 1  # PostgreSQL's BIGINT
MAX_NAME = 63  # bytes of a PostgreSQL identifier
MAX_SHOWN = 60  # characters of a value in an error message

REPR = Repr(maxstring=MAX_SHOWN, maxother=MAX_SHOWN)


def check_text(value: object, what: str) -> str:
    """Return a str that PostgreSQL can store.

    Raises
    ------
    TypeError
        If the value is not a str.
    ValueError
        If it contains a NUL character or a lone surrogate, or is larger than 1 GB.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, not {type(value).__name__}")
    if value.isascii() and "\0" not in value and len(value) <= MAX_SENT:
        return value
    if wrong := fault(value):
        raise ValueError(f"{what} contains {wrong}, which PostgreSQL cannot keep")
    return check_sent(value, f"{what} is")


def check_sent(text: str, what: str) -> str:
    """Return a str that fits into one message to the server, or raise ValueError."""
    if exceeds(text, MAX_SENT):
        raise ValueError(f"{what} larger than the 1 GB that PostgreSQL takes at once")
    return text


def check_optional(value: object, what: str) -> str | None:
    """Return a str that PostgreSQL can store, or None; raise as `check_text` does."""
    return None if value is None else check_text(value, what)


def check_texts(value: str | Iterable[str] | None, what: str) -> list[str] | None:
    """Return one or several str as a list, or None; raise as `check_text` does."""
    if value is None:
        return None
    if not isinstance(value, Iterable):
        raise TypeError(f"{what} must be a str or several, not {type(value).__name__}")
    return [check_text(each, what) for each in ((value,) if isinstance(value, str) else value)]


def check_path(value: object) -> Path:
    """Return a path, or raise TypeError."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"path must be a str or a Path, not {type(value).__name__}")
    return Path(cast("str", value))


def check_mapping(value: object, what: str) -> Mapping[str, Any]:
    """Return a mapping, or raise TypeError."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} must be a mapping, not {type(value).__name__}")
    return cast("Mapping[str, Any]", value)


def is_integer(value: object) -> TypeIs[int]:
    """Return whether a value is an int and not a bool, which is an int in Python."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeIs[int | float]:
    """Return whether a value is an int or float and not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: object) -> TypeIs[int | float]:
    """Return whether a value is a number that FLOAT8 can hold, and neither infinite nor NaN."""
    return is_number(value) and abs(value) <= sys.float_info.max


def check_limit(value: object, what: str) -> int | None:
    """Return a positive int or None, or raise ValueError."""
    if value is None:
        return None
    if is_integer(value) and 0 < value <= MAX_INTEGER:
        return value
    raise ValueError(f"{what} must be a positive int or None, not {value!r:.60}")


def check_position(value: object, what: str) -> int | None:
    """Return an int from 0 on or None, or raise ValueError."""
    if value is None:
        return None
    if is_integer(value) and 0 <= value < MAX_INTEGER:
        return value
    raise ValueError(f"{what} must be an int of 0 or more, or None, not {value!r:.60}")


def check_size(value: object, what: str) -> int:
    """Return a positive int, or raise ValueError."""
    if is_integer(value) and 0 < value <= MAX_INTEGER:
        return value
    raise ValueError(f"{what} must be a positive int, not {value!r:.60}")


def check_timeout(value: object) -> float | None:
    """Return a positive number of seconds or None, or raise TypeError or ValueError."""
    if value is None:
        return None
    if not is_number(value):
        raise TypeError(f"timeout must be seconds or None, not {type(value).__name__}")
    if not is_finite(value) or value <= 0:
        raise ValueError(f"timeout must be a positive number of seconds or None, not {value!r:.60}")
    return float(value)


def check_schema(value: object) -> str | None:
    """Return the name of a PostgreSQL schema or None, or raise TypeError or ValueError."""
    if value is None:
        return None
    name = check_text(value, "schema")
    # PostgreSQL truncates longer names, so that two schemas could become one.
    if not 0 < len(name.encode()) <= MAX_NAME:
        raise ValueError(f"schema must have 1 to {MAX_NAME} bytes, not {len(name.encode())}")
    return name


def shown(value: object) -> str:
    """Return the repr of a value for an error message: one line, at most 60 characters."""
    text = " ".join(REPR.repr(value).split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def exceeds(text: str, limit: int) -> bool:
    """Return whether a text has more bytes than a limit; encode it only if that decides."""
    return len(text) > limit // 4 and (len(text) > limit or len(text.encode()) > limit)


def fault(text: str) -> str | None:
    """Return the first character that PostgreSQL cannot store, and its place, or None."""
    if "\0" in text:
        return f"a NUL character (at {text.index('\0')})"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"a lone surrogate (at {error.start})"
    return None
