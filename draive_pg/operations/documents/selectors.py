"""Selecting one revision of a document: by number, label, time, or as a record."""

from datetime import date, datetime
from typing import Any, LiteralString, NamedTuple

from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.validation import check_limit, check_optional
from draive_pg.models.documents import Revision, Snapshot
from draive_pg.operations.documents.kind import DocumentKind

LATEST = "latest"  # the label that is always on the newest revision

type RevisionRef[R] = int | str | date | R | None
"""A revision by number, by a label that is on it, by time, as a record; None for the newest."""


class RevisionSelector(NamedTuple):
    """Selects one revision of a name; by default, the newest."""

    number: int | None = None
    created: datetime | None = None
    label: str | None = None
    as_of: datetime | None = None

    def __str__(self) -> str:
        match self:
            case RevisionSelector(number=int()):
                return f"revision {self.number}"
            case RevisionSelector(created=datetime()):
                return f"revision of {self.created}"
            case RevisionSelector(label=str(), as_of=None):
                return f"label {self.label!r:.80}"
            case RevisionSelector(label=str()):
                return f"label {self.label!r:.80} as of {self.as_of}"
            case _:
                return f"revision as of {self.as_of}"

    @property
    def is_pinned(self) -> bool:
        """Whether a revision is given."""
        return (self.number, self.created) != (None, None)

    @property
    def is_explicit(self) -> bool:
        """Whether a revision or a label is given, not only a time."""
        return self.is_pinned or self.label is not None

    def parameters(self) -> dict[str, object]:
        """Return the parameters of `SELECTED`."""
        return {
            "selected_number": self.number,
            "selected_created": self.created,
            "selected_label": self.label,
            "as_of": self.as_of,
        }


NEWEST = RevisionSelector()


def newest_of(name: LiteralString) -> LiteralString:
    """Return SQL for the creation time of the newest or labelled revision of a name."""
    return f"""CASE
    WHEN :selected_label::TEXT IS NOT NULL THEN (
        SELECT move.revision
        FROM {{labels}} AS move
        WHERE move.name = {name}
            AND move.label = :selected_label::TEXT
            AND (:as_of::TIMESTAMPTZ IS NULL OR move.moved <= :as_of::TIMESTAMPTZ)
        ORDER BY move.moved DESC
        LIMIT 1
    )
    ELSE (
        SELECT revision.created
        FROM {{documents}} AS revision
        WHERE revision.name = {name}
            AND (:as_of::TIMESTAMPTZ IS NULL OR revision.created <= :as_of::TIMESTAMPTZ)
        ORDER BY revision.created DESC
        LIMIT 1
    )
END"""


# Creation time of the selected revision of :name. PostgreSQL executes only the matching branch.
SELECTED: LiteralString = f"""CASE
    WHEN :selected_number::INT8 IS NOT NULL THEN (
        SELECT revision.created
        FROM {{documents}} AS revision
        WHERE revision.name = :name::TEXT
        ORDER BY revision.created
        OFFSET :selected_number::INT8 - 1
        LIMIT 1
    )
    WHEN :selected_created::TIMESTAMPTZ IS NOT NULL THEN :selected_created::TIMESTAMPTZ
    ELSE {newest_of(":name::TEXT")}
END"""


def select(
    *,
    revision: int | Revision | Snapshot | None = None,
    label: str | None = None,
    as_of: Timestamp | None = None,
) -> RevisionSelector:
    """Return the selector of keyword arguments; a label can be read as of a time.

    Raises
    ------
    TypeError, ValueError
        For an invalid argument, or a revision combined with a label or a time.
    """
    if revision is None:
        return RevisionSelector(
            label=None if label == LATEST else check_optional(label, "label"),
            as_of=check_timestamp(as_of, "as_of"),
        )
    if label is not None or as_of is not None:
        raise ValueError("give either revision=, or label= and as_of=, not both")
    if isinstance(revision, Revision | Snapshot):
        return RevisionSelector(created=revision.created)
    if isinstance(revision, str):  # probably meant as a label
        raise TypeError("revision must be a number or a record, not str; use label=")
    return RevisionSelector(number=check_limit(revision, "revision"))


def ref(kind: DocumentKind[Any, Any], revision: object, name: str) -> RevisionSelector:
    """Return the selector of a `RevisionRef` to a revision of a name."""
    match revision:
        case None:
            return NEWEST
        case Revision() | Snapshot():
            own = revision.name if isinstance(revision, Revision) else revision.identifier
            if getattr(revision, kind.key, None) != name:
                raise ValueError(f"a revision of {own!r:.80} is not one of {name!r:.80}")
            return RevisionSelector(created=revision.created)
        case date():
            return RevisionSelector(as_of=check_timestamp(revision, "the time of the revision"))
        case str():
            return select(label=revision)
        case int() if not isinstance(revision, bool):
            return RevisionSelector(number=check_limit(revision, "the number of a revision"))
        case _:
            raise TypeError(
                "a revision must be a number, a label, a time or a record, "
                f"not {type(revision).__name__}"
            )
