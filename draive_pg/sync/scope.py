"""The scope of a push or pull: which names it is about."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from draive_pg.codec.validation import check_optional, check_texts
from draive_pg.errors import FileInvalid


@dataclass(frozen=True, slots=True)
class Scope:
    """The names with a prefix that equal or match one of several patterns; by default, all.

    Attributes
    ----------
    prefix : str | None
        What the names start with.
    names : tuple[str, ...] | None
        Names, and patterns as of `fnmatch`, whose ``*`` matches slashes, too.
    """

    prefix: str | None = None
    names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, prefix: str | None, names: Iterable[str] | None) -> "Scope":
        """Return the scope of two arguments, or raise TypeError or ValueError."""
        patterns = check_texts(names, "names")
        return cls(check_optional(prefix, "prefix"), None if patterns is None else tuple(patterns))

    def __contains__(self, name: str) -> bool:
        return (self.prefix is None or name.startswith(self.prefix)) and (
            self.names is None or matches(name, self.names)
        )

    @property
    def is_given(self) -> bool:
        """Whether anything restricts it."""
        return self.prefix is not None or self.names is not None

    def check_found(self, found: Iterable[str], noun: str) -> None:
        """Raise FileInvalid for a name or pattern that nothing matches: it may be misspelled."""
        names = list(found)
        for pattern in self.names or ():
            if not any(matches(name, (pattern,)) for name in names):
                raise FileInvalid(
                    f"there are no {noun} {pattern!r:.80}, neither in the folder nor in the "
                    "database"
                )


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name equals or matches one of the patterns."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


class Ignored:
    """The patterns of an ignore file: one per line; ``!`` includes again, ``#`` is a comment."""

    def __init__(self, text: str = "") -> None:
        lines = (line.strip() for line in text.splitlines())
        self._rules = [
            (line.removeprefix("!"), not line.startswith("!"))
            for line in lines
            if line and not line.startswith("#")
        ]

    def covers(self, *names: str) -> bool:
        """Return whether the last pattern that matches one of the names of a file ignores it."""
        return next(
            (
                ignored
                for pattern, ignored in reversed(self._rules)
                if any(matches(name, (pattern,)) for name in names)
            ),
            False,
        )
