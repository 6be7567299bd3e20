"""Options that are more than text: times, durations, documents."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import typer

from draive_pg.codec.validation import check_timestamp

__all__ = ("document", "duration", "timestamp")

UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def timestamp(text: str | None, option: str) -> datetime | None:
    """Parse ISO 8601 text as Python's time arguments do; UTC unless it has an offset."""
    try:
        return check_timestamp(text, option)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None


def duration(text: str | None, option: str) -> timedelta | None:
    """Return a number of days, hours or minutes."""
    if text is None:
        return None
    # No more digits than PostgreSQL's own times have room for.
    if not (read := re.fullmatch(r"([0-9]{1,6})([dhm])", text)):
        raise typer.BadParameter(
            f"{option} must be days, hours or minutes as 90d, 12h or 30m, not {text!r:.60}."
        )
    return timedelta(**{UNITS[read[2]]: int(read[1])})


def document(text: str | None, option: str) -> Mapping[str, Any] | None:
    """Return a JSON object."""
    if text is None:
        return None
    try:
        read = cast("object", json.loads(text))
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{option} is not JSON: {error}.") from error
    if not isinstance(read, dict):
        raise typer.BadParameter(f'{option} must be a JSON object as {{"name": "value"}}.')
    return cast("dict[str, Any]", read)
