"""Read timestamps of chat logs, and put those of a conversation into order."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, cast

STEP = timedelta(microseconds=1)

# Upper limits of an epoch time in seconds, milliseconds, microseconds and nanoseconds: the year
# 2603. A number below 1e8 (the year 1973) is no time, but a duration or a counter.
LOWEST = 1e8
UNITS = ((2e10, 1), (2e13, 10**3), (2e16, 10**6), (2e19, 10**9))


def read_time(value: object) -> datetime | None:
    """Return a timestamp of a log as a datetime with a time zone; None if it is no timestamp.

    Parameters
    ----------
    value : object
        A date or datetime, ISO 8601 text (UTC unless it has an offset), seconds, milliseconds,
        microseconds or nanoseconds since 1970 as number or text, or MongoDB's ``{"$date": ...}``.
    """
    match value:
        case datetime():
            return _aware(value)
        case date():
            return _aware(datetime(value.year, value.month, value.day))
        case bool():
            return None
        case int() | float():
            return _of_epoch(value)
        case str():
            return _of_text(value.strip())
        case {"$date": found}:
            return read_time(found)
        case {"$numberLong": found}:
            return read_time(found)
        case _:
            return None


def descend(times: Sequence[datetime | None]) -> bool:
    """Return True if all times are known, and the newest is first."""
    known = [time for time in times if time is not None]
    return (
        len(known) == len(times)
        and bool(known)
        and known[0] > known[-1]
        and all(newer >= older for newer, older in pairwise(known))
    )


def in_order(times: Sequence[datetime | None], start: datetime | None) -> Sequence[datetime] | None:
    """Complete the times of messages so that each is later than the one before.

    A missing time, or one that is not later, becomes one microsecond after the previous time. If
    the first times are missing, they begin at ``start`` or directly before the first known time.

    Returns
    -------
    Sequence[datetime] | None
        The times; None if nothing is known.
    """
    known = next((index for index, time in enumerate(times) if time is not None), None)
    if known is None:
        if start is None:
            return None
        first = start
    else:
        first = cast("datetime", times[known]) - known * STEP
        if known and start is not None:
            first = min(start, first)
    result: list[datetime] = []
    earliest = first
    for time in times:
        result.append(max(time, earliest) if time is not None else earliest)
        earliest = result[-1] + STEP
    return result


def _aware(time: datetime) -> datetime | None:
    if time != time:  # noqa: PLR0124 - pandas' NaT
        return None
    if time.year in (MINYEAR, MAXYEAR):  # what some languages write in place of no time
        return None
    # pandas' Timestamp is a datetime with nanoseconds
    time = cast("Any", time).to_pydatetime(warn=False) if hasattr(time, "to_pydatetime") else time
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _of_epoch(number: float) -> datetime | None:
    for limit, divisor in UNITS:
        if LOWEST * divisor <= number < limit:
            seconds = int(number // divisor)
            micro = round((number - seconds * divisor) * 10**6 / divisor)
            return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micro)
    return None


def _of_text(text: str) -> datetime | None:
    try:
        return _of_epoch(float(text))
    except ValueError:
        pass
    try:
        return _aware(datetime.fromisoformat(text.removesuffix(" UTC")))
    except (ValueError, OverflowError):
        return None
