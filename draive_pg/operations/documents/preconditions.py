"""What a conditional write expects to be there, and the error where something else is."""

from datetime import datetime
from typing import NamedTuple

from draive_pg.codec.validation import MAX_INTEGER
from draive_pg.errors import RevisionConflict

__all__ = ("ANY", "Expectation", "numbered", "seen")


class Expectation(NamedTuple):
    """What is expected, as it is sent: a number, or when it was created; neither for anything."""

    number: int | None = None
    created: datetime | None = None
    shown: str = ""

    def unmet(self, asked: str, current: str) -> RevisionConflict:
        """Return the error for that something else was met."""
        return RevisionConflict(
            f"{asked}: expected {self.shown}, but {current}; look at what changed, and repeat it "
            "upon that"
        )


ANY = Expectation()


def seen(revision: int, created: datetime) -> Expectation:
    """Expect what was read before."""
    return Expectation(created=created, shown=f"revision {revision} of {created}")


def numbered(expected: object) -> Expectation:
    """Expect a number, 0 for that there is nothing yet, or anything for None.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if expected is None:
        return ANY
    if (
        isinstance(expected, int)
        and not isinstance(expected, bool)
        and 0 <= expected <= MAX_INTEGER
    ):
        return Expectation(expected, shown=f"revision {expected}" if expected else "none yet")
    raise ValueError(
        f"expected must be a number, 0 for none, or what was read before, not {expected!r:.60}"
    )
