"""The timeout of a call, which may wait for the server several times."""

from math import inf
from time import monotonic

from psycopg import OperationalError


class NoAnswer(OperationalError):
    """The server did not answer within the timeout of the call."""


class Deadline:
    """The end of a call's timeout.

    Parameters
    ----------
    seconds : float | None
        The timeout; None: no limit.
    """

    __slots__ = ("_end", "seconds")

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = inf if seconds is None else monotonic() + seconds

    def left(self) -> float | None:
        """Return the seconds that are left; None: no limit."""
        return None if self.seconds is None else self.within(inf)

    def within(self, limit: float) -> float:
        """Return the seconds that are left, at most ``limit``."""
        return max(0.0, min(self._end - monotonic(), limit))

    def error(self) -> NoAnswer:
        """Return the error for a call that exceeded the timeout."""
        return NoAnswer(f"no answer from the server within the timeout of {self.seconds:g} s")
