"""Points in time, as they come back."""

from datetime import UTC, datetime, timedelta
from typing import LiteralString

__all__ = ("MICROSECONDS", "moment")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Of a column, for `moment`: an infinite time, which no Python type holds, is NULL.
MICROSECONDS: LiteralString = (
    "(extract(EPOCH FROM CASE WHEN isfinite(COLUMN) THEN COLUMN END) * 1000000)::INT8"
)


def moment(microseconds: int | None) -> datetime | None:
    """Return the time of so many microseconds since 1970, None for one that Python cannot hold."""
    try:
        return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
