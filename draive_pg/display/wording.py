"""How transcripts put things into words, in a notebook and in a terminal alike."""

import json
import re
from datetime import timedelta

__all__ = ("counted", "duration", "json_text", "one_line")

BRACKETS = re.compile(r"(?<=[{\[])\n\s*|\n\s*(?=[}\]])")


def counted(number: int, what: str) -> str:
    """Return a number and what it counts: ``1 element``, ``2,000 elements``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def duration(value: timedelta) -> str:
    """Return a duration in its two largest units: ``2 d 3 h``."""
    left = int(value.total_seconds())
    parts: list[str] = []
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= seconds or parts:
            number, left = divmod(left, seconds)
            parts.append(f"{number} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def json_text(value: object, indent: int | None = None) -> str:
    """Return a document as JSON, its letters as they are."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def one_line(text: str) -> str:
    """Return a text on one line, and indented JSON as if it were not."""
    return " ".join(BRACKETS.sub("", text).split())
