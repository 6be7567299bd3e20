"""Timestamps: what callers may pass, and what PostgreSQL returns."""

from datetime import UTC, date, datetime, time, timedelta

from draive_pg.codec.validation import shown

type Timestamp = datetime | date | str
"""A datetime, a date (its midnight) or ISO 8601 text; UTC unless it has an offset of its own."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_timestamp(value: object, name: str) -> datetime | None:
    """Return a time as a datetime with a time zone, or None.

    Parameters
    ----------
    value : object
        A datetime, a date (its midnight), ISO 8601 text or None. UTC unless it has an offset.
    name : str
        The argument, for errors.

    Raises
    ------
    TypeError
        If the value is of another type.
    ValueError
        If the text is not ISO 8601.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(
                f"{name} must be a time such as 2026-01-31 or 2026-01-31T12:00Z, not {shown(value)}"
            ) from None
    if not isinstance(value, date) or value != value:  # noqa: PLR0124 - pandas' NaT is a datetime
        raise TypeError(
            f"{name} must be a datetime, a date or ISO 8601 text, not {type(value).__name__}"
        )
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return value.replace(tzinfo=UTC) if value.utcoffset() is None else value


def from_epoch_us(microseconds: int | None) -> datetime | None:
    """Convert microseconds since 1970 to a datetime; None if Python cannot represent it."""
    try:
        return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
