"""Selecting one revision of a document: by number, label, time, or as a record."""

from datetime import date, datetime
from typing import Any, LiteralString, NamedTuple

from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.validation import check_limit, check_text, is_integer
from draive_pg.models.documents import DocumentRevision
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
        """Whether one revision is given, by number or time of creation."""
        return self.number is not None or self.created is not None

    @property
    def is_explicit(self) -> bool:
        """Whether a revision or a label is given, not only a time."""
        return self.is_pinned or self.label is not None

    def parameters(self) -> dict[str, object]:
        """Return the parameters of `SELECTED_CREATED`."""
        return {
            "selected_number": self.number,
            "selected_created": self.created,
            "selected_label": self.label,
            "as_of": self.as_of,
        }


NEWEST = RevisionSelector()


def counted(name: LiteralString, created: LiteralString) -> LiteralString:
    """Return SQL for the number of a revision: a count of the revisions up to it, by the index.

    Two counts cost less than one of ``{revisions}``, a union.
    """
    return f"""((
        SELECT count(*)
        FROM {{documents}} AS earlier
        WHERE earlier.name = {name} AND earlier.created <= {created}
    ) + (
        SELECT count(*)
        FROM {{gone}} AS earlier
        WHERE earlier.name = {name} AND earlier.created <= {created}
    ))"""


def digest(row: LiteralString) -> LiteralString:
    """Return SQL for the digest of a revision that is stored with the move of a label."""
    return f"""encode(sha256(
        sha256(convert_to({row}.content::TEXT, 'UTF8'))
        || convert_to(
            ROW({row}.description, {row}.arguments::TEXT, {row}.meta::TEXT)::TEXT, 'UTF8'
        )
    ), 'hex')"""


def unchanged(row: LiteralString, move: LiteralString) -> LiteralString:
    """Return SQL for whether a revision has the content that a label was moved to.

    A move by an older version has no digest, and its table may have no such column.
    """
    return f"coalesce(to_jsonb({move}) ->> 'digest' = {digest(row)}, TRUE)"


def labelled(
    name: LiteralString, label: LiteralString, until: LiteralString = "TRUE"
) -> LiteralString:
    """Return SQL for the creation time of the revision that a label is on."""
    return f"""(
    SELECT labelled.created
    FROM (
        SELECT move.*
        FROM {{moves}} AS move
        WHERE move.name = {name} AND move.label = {label} AND {until}
        ORDER BY move.moved DESC
        LIMIT 1
    ) AS newest
    JOIN {{documents}} AS labelled
        ON labelled.name = {name} AND labelled.created = newest.revision
    WHERE {unchanged("labelled", "newest")}
)"""


def newest_of(name: LiteralString) -> LiteralString:
    """Return SQL for the creation time of the newest or labelled revision of a name."""
    until: LiteralString = "(:as_of::TIMESTAMPTZ IS NULL OR move.moved <= :as_of::TIMESTAMPTZ)"
    return f"""CASE
    WHEN :selected_label::TEXT IS NOT NULL THEN {labelled(name, ":selected_label::TEXT", until)}
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
SELECTED_CREATED: LiteralString = f"""CASE
    WHEN :selected_number::INT8 IS NOT NULL THEN (
        SELECT revision.created
        FROM {{revisions}} AS revision
        WHERE revision.name = :name::TEXT
        ORDER BY revision.created
        OFFSET :selected_number::INT8 - 1
        LIMIT 1
    )
    WHEN :selected_created::TIMESTAMPTZ IS NOT NULL THEN :selected_created::TIMESTAMPTZ
    ELSE {newest_of(":name::TEXT")}
END"""


def check_label(label: object, what: str = "label") -> str:
    """Return a text that can be a label, or raise TypeError or ValueError."""
    text = check_text(label, what)
    if text != text.strip():
        raise ValueError(f"{what} must not begin or end with white space, as {text!r:.60} does")
    return text


def select(
    *,
    revision: int | DocumentRevision | None = None,
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
        if label is None and as_of is None:
            return NEWEST
        return RevisionSelector(
            label=None if label is None or label == LATEST else check_label(label),
            as_of=check_timestamp(as_of, "as_of"),
        )
    if label is not None or as_of is not None:
        raise ValueError("give either revision=, or label= and as_of=, not both")
    if isinstance(revision, DocumentRevision):
        return RevisionSelector(created=revision.created)
    if isinstance(revision, str):  # probably meant as a label
        raise TypeError("revision must be a number or a record, not str; use label=")
    return RevisionSelector(number=check_limit(revision, "revision"))


def selector_of(kind: DocumentKind[Any, Any], revision: object, name: str) -> RevisionSelector:
    """Return the selector of a `RevisionRef` to a revision of a name."""
    match revision:
        case None:
            return NEWEST
        case DocumentRevision():
            return RevisionSelector(created=kind.created_of(revision, name, "the revision"))
        case date():
            return RevisionSelector(as_of=check_timestamp(revision, "the time of the revision"))
        case str():
            return select(label=revision)
        case int() if is_integer(revision):
            return RevisionSelector(number=check_limit(revision, "the number of a revision"))
        case _:
            raise TypeError(
                "a revision must be a number, a label, a time or a record, "
                f"not {type(revision).__name__}"
            )
