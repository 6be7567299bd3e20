"""Timestamps: what callers may pass, and what PostgreSQL returns."""

from datetime import UTC, date, datetime, timedelta

type Timestamp = datetime | date | str
"""A datetime, a date (its midnight) or ISO 8601 text; UTC unless it has an offset of its own."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_epoch_us(microseconds: int | None) -> datetime | None:
    """Convert microseconds since 1970 to a datetime; None if Python cannot represent it."""
    try:
        return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
