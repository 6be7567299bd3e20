"""Points in time, as they come back."""

from datetime import UTC, datetime, timedelta

__all__ = ("moment",)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int | None) -> datetime | None:
    """Return the time of so many microseconds since 1970, None for one that Python cannot hold."""
    try:
        return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
