"""Preconditions of writes: the revision that must be the newest, or that a label must be on."""

from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple

from draive_pg.codec.validation import MAX_INTEGER, is_integer
from draive_pg.errors import RevisionConflict
from draive_pg.models.documents import DocumentRevision
from draive_pg.operations.documents.kind import DocumentKind

type Expected[R] = int | R | None
"""The expected newest revision: a number, 0 for no revision, or a record; None: not checked."""


class Precondition(NamedTuple):
    """The expected revision as parameters of a statement; by default, nothing is checked."""

    expected_number: int | None = None
    expected_created: datetime | None = None
    shown: str = ""

    def parameters(self) -> dict[str, object]:
        """Return the parameters of a statement that checks it."""
        return {
            "expected_number": self.expected_number,
            "expected_created": self.expected_created,
        }

    def holds(self, number: int, created: datetime | None) -> bool:
        """Return whether it holds for the number and time of a revision."""
        return self.expected_number in (None, number) and self.expected_created in (None, created)

    def conflict_error(self, action: str, found: str) -> RevisionConflict:
        """Return the RevisionConflict to raise when the precondition fails."""
        return RevisionConflict(
            f"{action}: expected {self.shown}, but {found}; read the current revision, and try "
            "again"
        )


def met(number: LiteralString, created: LiteralString) -> LiteralString:
    """Return SQL for whether a precondition holds for the number and time of a revision.

    The parameters are those of `Precondition.parameters`.
    """
    return f"""(
            (:expected_number::INT8 IS NULL OR {number} = :expected_number::INT8)
            AND (
                :expected_created::TIMESTAMPTZ IS NULL
                OR {created} IS NOT DISTINCT FROM :expected_created::TIMESTAMPTZ
            )
        )"""


def precondition(kind: DocumentKind[Any, Any], expected: object, name: str) -> Precondition:
    """Return the precondition of a write to a name, or raise ValueError."""
    if expected is None:
        return Precondition()
    if isinstance(expected, DocumentRevision):
        return Precondition(
            expected_created=kind.created_of(expected, name, "expected"),
            shown=f"revision {expected.revision} of {expected.created}",
        )
    if isinstance(expected, datetime):
        return Precondition(expected_created=expected, shown=f"the revision of {expected}")
    if is_integer(expected) and 0 <= expected <= MAX_INTEGER:
        return Precondition(expected, shown=f"revision {expected}" if expected else "none yet")
    raise ValueError(f"expected must be a number, 0 for none, or a record, not {expected!r:.60}")


def newest_found(number: int | None, created: datetime | None, author: str | None = None) -> str:
    """Return what is said of the newest revision in the error for another one."""
    if created is None:
        return "there is none"
    by = f" by {author!r:.60}" if author else ""
    return f"the newest is revision {number} of {created.astimezone(UTC)}{by}"
