"""Reading stored rows of which some cannot be read: refused by name, or skipped and told of."""

from collections.abc import Callable, Iterable

from draive_pg.errors import StoredDataInvalid, StoredDataSkipped, warn

__all__ = ("sifted", "warn_skipped")


def sifted[Row, Value](
    rows: Iterable[Row], decode: Callable[[Row], Value], *, lenient: bool
) -> tuple[tuple[Value, ...], tuple[str, ...]]:
    """Return what rows decode to, and, where that is lenient, what is wrong with the others."""
    if not lenient:
        return tuple(map(decode, rows)), ()
    values: list[Value] = []
    skipped: list[str] = []
    for row in rows:
        try:
            values.append(decode(row))
        except StoredDataInvalid as error:
            skipped.append(str(error))
    return tuple(values), tuple(skipped)


def warn_skipped(reasons: Iterable[str]) -> None:
    """Warn whoever called this package of each row that was skipped."""
    for reason in reasons:
        warn(f"skipped: {reason}", StoredDataSkipped)
