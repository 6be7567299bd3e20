"""Which revision is meant: by its number, a label, a time, or as it was read before."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import LiteralString, NamedTuple

from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_limit, check_optional, check_timestamp
from draive_pg.errors import RevisionMissing
from draive_pg.models import Revision
from draive_pg.operations.documents.instructions import LATEST, Reference, name_of
from draive_pg.operations.documents.revisions import FIELDS, REVISIONS, asked, decoded
from draive_pg.operations.operation import Operation, Row

__all__ = (
    "CHOICES",
    "KNOWN",
    "NEWEST",
    "Choice",
    "Known",
    "Target",
    "choice",
    "choose",
    "columns",
    "required",
    "revision",
    "target",
)

type Target = int | str | date | Revision | None
"""A revision by number, by a label that is on it, by time, as a record; None for the newest."""


class Choice(NamedTuple):
    """Which revision of a name is meant; without any member, the newest."""

    number: int | None = None
    created: datetime | None = None
    label: str | None = None
    as_of: datetime | None = None

    def __str__(self) -> str:
        match self:
            case Choice(number=int()):
                return f"revision {self.number}"
            case Choice(created=datetime()):
                return f"revision of {self.created}"
            case Choice(label=str(), as_of=None):
                return f"label {self.label!r:.80}"
            case Choice(label=str()):
                return f"label {self.label!r:.80} as of {self.as_of}"
            case _:
                return f"revision as of {self.as_of}"


NEWEST = Choice()


class Known(NamedTuple):
    """What there is of a name, for those who look for something else."""

    name: str
    revisions: int
    labels: Sequence[str]

    def missing(self, doing: str, choice: Choice) -> Exception:
        """Return the error for want of a revision."""
        if not self.revisions:
            from draive_pg.codec import draive_types as codec

            return codec.InstructionsMissing(name=self.name)
        numbers = "is revision 1" if self.revisions == 1 else f"are revisions 1 to {self.revisions}"
        labels = ", ".join(f"{label!r:.80}" for label in self.labels) or "no labels"
        return RevisionMissing(f"{doing}: there is no {choice}; there {numbers}, and {labels}")


# Which revisions are meant by numbers, times of creation, labels, and as of which times.
CHOICES: LiteralString = """,
choices AS (
    SELECT
        choice.place,
        CASE
            WHEN choice.number IS NOT NULL THEN (
                SELECT created
                FROM {schema}.instructions
                WHERE name = $1::TEXT
                ORDER BY created
                OFFSET choice.number - 1
                LIMIT 1
            )
            WHEN choice.created IS NOT NULL THEN choice.created
            WHEN choice.label IS NOT NULL THEN (
                SELECT created
                FROM moves
                WHERE label = choice.label AND (choice.as_of IS NULL OR moved <= choice.as_of)
                ORDER BY moved DESC
                LIMIT 1
            )
            ELSE (
                SELECT created
                FROM {schema}.instructions
                WHERE name = $1::TEXT AND (choice.as_of IS NULL OR created <= choice.as_of)
                ORDER BY created DESC
                LIMIT 1
            )
        END AS created
    FROM unnest($2::INT8[], $3::TIMESTAMPTZ[], $4::TEXT[], $5::TIMESTAMPTZ[])
        WITH ORDINALITY AS choice (number, created, label, as_of, place)
)
"""

# What there is of the name, for errors.
KNOWN: LiteralString = """
    (SELECT count(*) FROM {schema}.instructions WHERE name = $1::TEXT),
    ARRAY(
        SELECT label
        FROM (
            SELECT DISTINCT ON (label) label, created FROM moves ORDER BY label, moved DESC
        ) AS held
        WHERE EXISTS (
            SELECT FROM {schema}.instructions WHERE name = $1::TEXT AND created = held.created
        )
    )
"""

CHOSEN: LiteralString = f"""
SELECT {KNOWN}, {FIELDS}
FROM choices
LEFT JOIN revisions AS revision ON revision.created = choices.created
ORDER BY choices.place
"""


def revision(instructions: Reference, wanted: Target) -> Operation[Revision]:
    """One revision of a name, or RevisionMissing, or InstructionsMissing."""
    name = name_of(instructions)
    doing = f"read a revision of instructions {name!r:.80}"
    choice = target(wanted, name)
    return choose(
        doing, name, (choice,), lambda known, rows: required(rows[0], doing, known, choice)
    )


def choose[T](
    doing: str, name: str, choices: Sequence[Choice], made: Callable[[Known, Sequence[Row]], T]
) -> Operation[T]:
    """Build the operation that makes something of a row of FIELDS, null or not, for each choice."""

    def decode(rows: Sequence[Row]) -> T:
        revisions, labels = rows[0][:2]
        return made(Known(name, revisions, labels), [row[2:] for row in rows])

    return asked(doing, REVISIONS + CHOICES + CHOSEN, (name, *columns(choices)), decode)


def columns(choices: Sequence[Choice]) -> tuple[list[object], ...]:
    """Return the parameters of CHOICES."""
    return tuple(list(column) for column in zip(*choices, strict=True))


def required(row: Row, doing: str, known: Known, choice: Choice) -> Revision:
    """Return the revision of a row, or raise for want of it."""
    if row[0] is None:
        raise known.missing(doing, choice)
    return decoded(row)


def choice(
    *,
    revision: int | Revision | None = None,
    label: str | None = None,
    as_of: Timestamp | None = None,
) -> Choice:
    """Return which revision is meant; a label can be read as of a time.

    Raises
    ------
    TypeError, ValueError
        For arguments of a wrong type or value, and for a revision beside a label or a time.
    """
    if revision is None:
        return Choice(
            label=None if label == LATEST else check_optional(label, "label"),
            as_of=check_timestamp(as_of, "as_of"),
        )
    if label is not None or as_of is not None:
        raise ValueError("choose by revision=, or by label= and as_of=, not by both")
    if isinstance(revision, Revision):
        return Choice(created=revision.created)
    if isinstance(revision, str):  # a label, where a label is asked for
        raise TypeError("revision must be a number or a Revision, not str; use label=")
    return Choice(number=check_limit(revision, "revision"))


def target(wanted: object, name: str) -> Choice:
    """Return which revision of a name is meant by a number, a label, a time, a record or None."""
    match wanted:
        case None:
            return NEWEST
        case Revision():
            if wanted.name != name:
                raise ValueError(f"a revision of {wanted.name!r:.80} is none of {name!r:.80}")
            return Choice(created=wanted.created)
        case date():
            return Choice(as_of=check_timestamp(wanted, "the time of the revision"))
        case str():
            return choice(label=wanted)
        case int() if not isinstance(wanted, bool):
            return Choice(number=check_limit(wanted, "the number of a revision"))
        case _:
            raise TypeError(
                "a revision must be a number, a label, a time or a Revision, "
                f"not {type(wanted).__name__}"
            )
