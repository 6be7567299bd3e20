"""Instruction revisions as people look at them: numbered, with their authors and labels."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple

from draive_pg.content.documents import (
    check_limit,
    check_mapping,
    check_moment,
    check_optional,
    encode,
)
from draive_pg.errors import RevisionMissing
from draive_pg.operations.instructions import LATEST, Reference, name_of
from draive_pg.operations.operation import Operation, Row, Statement
from draive_pg.records import Record, Records

__all__ = (
    "BARE",
    "CHOICES",
    "FIELDS",
    "KNOWN",
    "NEWEST",
    "OWN",
    "REVISIONS",
    "Choice",
    "Diff",
    "Known",
    "Revision",
    "Target",
    "choice",
    "choose",
    "columns",
    "decoded",
    "diff",
    "history",
    "required",
    "revision",
    "search",
    "target",
)


@dataclass(frozen=True, slots=True, repr=False)
class Revision(Record):
    """One revision of instructions.

    Attributes
    ----------
    name : str
        Of the instructions.
    revision : int
        Its number among those of the name, from 1 in order of ``created``. Numbers start anew
        where all revisions of a name were removed.
    created : datetime
        When it was written, in UTC; of the revisions of a name each has another.
    content : str
        The template.
    description : str | None
        What it is for.
    arguments : sequence of mappings
        The declared arguments: ``name``, ``description``, ``required``.
    meta : Mapping[str, Any]
        As it was declared.
    author, message : str | None
        Who wrote it, and why, as far as they said so.
    labels : tuple[str, ...]
        Those that are on it now.
    current : bool
        Whether it is the newest of its name.
    """

    name: str
    revision: int
    created: datetime
    content: str
    description: str | None
    arguments: Sequence[Mapping[str, Any]]
    meta: Mapping[str, Any]
    author: str | None
    message: str | None
    labels: tuple[str, ...]
    current: bool


@dataclass(frozen=True, slots=True, repr=False)
class Diff(Record):
    """What changed from one revision to another: a unified text, side by side in a notebook.

    It is true where they differ.
    """

    a: Revision
    b: Revision

    def __str__(self) -> str:
        from draive_pg.display import diff

        return diff.unified(self._titles(), self._parts())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from draive_pg.display import diff

        return diff.side_by_side(self._titles(), self._parts())

    def __bool__(self) -> bool:
        return any(before != after for _, before, after in self._parts())

    def _titles(self) -> tuple[str, str]:
        return (_titled(self.a), _titled(self.b))

    def _parts(self) -> list[tuple[str, str, str]]:
        ours, theirs = _parts_of(self.a), _parts_of(self.b)
        return [(part, ours[part], theirs[part]) for part in ours]


type Target = int | str | datetime | Revision | None
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

    def missing(self, asked: str, choice: Choice) -> Exception:
        """Return the error for want of a revision."""
        if not self.revisions:
            from draive_pg.content import codec

            return codec.InstructionsMissing(name=self.name)
        numbers = "is revision 1" if self.revisions == 1 else f"are revisions 1 to {self.revisions}"
        labels = ", ".join(f"{label!r:.80}" for label in self.labels) or "no labels"
        return RevisionMissing(f"{asked}: there is no {choice}; there {numbers}, and {labels}")


# What is kept beside the revisions of a name, or of all names where $1 is null.
OWN: LiteralString = """
WITH notes AS (
    SELECT name, created, author, message
    FROM {schema}.draive_pg_revisions
    WHERE $1::TEXT IS NULL OR name = $1::TEXT
),
moves AS (
    SELECT name, label, revision AS created, moved, author, message
    FROM {schema}.draive_pg_labels
    WHERE $1::TEXT IS NULL OR name = $1::TEXT
),
"""

# The same of a database that draive made, where nothing is.
BARE: LiteralString = """
WITH notes AS (
    SELECT NULL::TEXT AS name, NULL::TIMESTAMPTZ AS created, '' AS author, '' AS message
    WHERE FALSE
),
moves AS (
    SELECT
        NULL::TEXT AS name,
        '' AS label,
        NULL::TIMESTAMPTZ AS created,
        NULL::TIMESTAMPTZ AS moved,
        '' AS author,
        '' AS message
    WHERE FALSE
),
"""

# A label whose revision is gone is on none.
REVISIONS: LiteralString = """
held AS (
    SELECT DISTINCT ON (name, label) * FROM moves ORDER BY name, label, moved DESC
),
labels AS (
    SELECT name, created, array_agg(label ORDER BY label) AS labels
    FROM held
    GROUP BY name, created
),
revisions AS (
    SELECT
        name,
        row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
        created,
        instructions.content,
        instructions.description,
        instructions.arguments,
        instructions.meta,
        notes.author,
        notes.message,
        coalesce(labels.labels, '{}') AS labels,
        created = max(created) OVER (PARTITION BY name) AS current
    FROM {schema}.instructions AS instructions
    LEFT JOIN notes USING (name, created)
    LEFT JOIN labels USING (name, created)
    WHERE $1::TEXT IS NULL OR name = $1::TEXT
)
"""

# As `decoded` takes them.
FIELDS: LiteralString = """
    revision.name,
    revision.revision,
    revision.created,
    revision.content,
    revision.description,
    revision.arguments::TEXT,
    revision.meta::TEXT,
    revision.author,
    revision.message,
    revision.labels,
    revision.current
"""

HISTORY: LiteralString = f"""
SELECT {FIELDS}
FROM revisions AS revision
ORDER BY revision.name, revision.revision DESC
"""

SEARCH: LiteralString = f"""
SELECT {FIELDS}
FROM revisions AS revision
WHERE (
        $2::TEXT IS NULL
        OR position(lower($2::TEXT) IN lower(revision.name)) > 0
        OR position(lower($2::TEXT) IN lower(revision.content)) > 0
        OR position(lower($2::TEXT) IN lower(revision.description)) > 0
        OR position(lower($2::TEXT) IN lower(revision.message)) > 0
    )
    AND ($3::JSONB IS NULL OR revision.meta @> $3::JSONB)
    AND ($4::TIMESTAMPTZ IS NULL OR revision.created >= $4::TIMESTAMPTZ)
    AND ($5::TIMESTAMPTZ IS NULL OR revision.created < $5::TIMESTAMPTZ)
    AND ($6::TEXT IS NULL OR revision.author = $6::TEXT)
    AND ($7::TEXT IS NULL OR $7::TEXT = ANY (revision.labels))
    AND (revision.current OR NOT $8::BOOLEAN)
ORDER BY revision.name, revision.revision DESC
LIMIT $9::INT8
"""

# Which revisions are meant by numbers, times of creation, labels, and as of which times.
CHOICES: LiteralString = """,
choices AS (
    SELECT
        choice.place,
        CASE
            WHEN choice.number IS NOT NULL THEN (
                SELECT created FROM revisions WHERE revision = choice.number
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
                SELECT max(created)
                FROM revisions
                WHERE choice.as_of IS NULL OR created <= choice.as_of
            )
        END AS created
    FROM unnest($2::INT8[], $3::TIMESTAMPTZ[], $4::TEXT[], $5::TIMESTAMPTZ[])
        WITH ORDINALITY AS choice (number, created, label, as_of, place)
)
"""

# What there is of the name, for errors.
KNOWN: LiteralString = """
    (SELECT count(*) FROM revisions),
    ARRAY(
        SELECT held.label FROM held JOIN revisions USING (name, created) ORDER BY held.label
    )
"""

CHOSEN: LiteralString = f"""
SELECT {KNOWN}, {FIELDS}
FROM choices
LEFT JOIN revisions AS revision ON revision.created = choices.created
ORDER BY choices.place
"""


def history(instructions: Reference) -> Operation[Records[Revision]]:
    """All revisions of a name, the newest first; none where there is no such name."""
    name = name_of(instructions)
    return _asked(
        f"read the history of instructions {name!r:.80}",
        HISTORY,
        (name,),
        lambda rows: Records(Revision, map(decoded, rows)),
    )


def search(
    text: str | None,
    *,
    meta: Mapping[str, Any] | None,
    since: datetime | None,
    until: datetime | None,
    author: str | None,
    label: str | None,
    current: bool,
    limit: int | None,
) -> Operation[Records[Revision]]:
    """The revisions of all names for which everything holds that is given."""
    given = (
        None,
        check_optional(text, "text"),
        None if meta is None else encode(check_mapping(meta, "meta"), "meta"),
        check_moment(since, "since"),
        check_moment(until, "until"),
        check_optional(author, "author"),
        None if label == LATEST else check_optional(label, "label"),
        current or label == LATEST,
        check_limit(limit, "limit"),
    )
    return _asked(
        "search instructions", SEARCH, given, lambda rows: Records(Revision, map(decoded, rows))
    )


def revision(instructions: Reference, wanted: Target) -> Operation[Revision]:
    """One revision of a name, or RevisionMissing, or InstructionsMissing."""
    name = name_of(instructions)
    asked = f"read a revision of instructions {name!r:.80}"
    choice = target(wanted, name)
    return choose(
        asked, name, (choice,), lambda known, rows: required(rows[0], asked, known, choice)
    )


def diff(instructions: Reference, a: Target, b: Target) -> Operation[Diff]:
    """What changed from one revision of a name to another."""
    name = name_of(instructions)
    asked = f"compare revisions of instructions {name!r:.80}"
    choices = (target(a, name), target(b, name))

    def made(known: Known, rows: Sequence[Row]) -> Diff:
        found = zip(rows, choices, strict=True)
        return Diff(*(required(row, asked, known, choice) for row, choice in found))

    return choose(asked, name, choices, made)


def choose[T](
    asked: str, name: str, choices: Sequence[Choice], made: Callable[[Known, Sequence[Row]], T]
) -> Operation[T]:
    """Build the operation that makes something of a row of FIELDS, null or not, for each choice."""

    def decode(rows: Sequence[Row]) -> T:
        revisions, labels = rows[0][:2]
        return made(Known(name, revisions, labels), [row[2:] for row in rows])

    return _asked(asked, CHOICES + CHOSEN, (name, *columns(choices)), decode)


def columns(choices: Sequence[Choice]) -> tuple[list[object], ...]:
    """Return the parameters of CHOICES."""
    return tuple(list(column) for column in zip(*choices, strict=True))


def required(row: Row, asked: str, known: Known, choice: Choice) -> Revision:
    """Return the revision of a row, or raise for want of it."""
    if row[0] is None:
        raise known.missing(asked, choice)
    return decoded(row)


def decoded(row: Row) -> Revision:
    """Return the revision of a row of FIELDS."""
    name, number, created, content, description, arguments, meta, *kept, labels, current = row
    author, message = kept
    return Revision(
        name=name,
        revision=number,
        created=created.astimezone(UTC),
        content=content,
        description=description,
        arguments=json.loads(arguments),
        meta=json.loads(meta),
        author=author,
        message=message,
        labels=tuple(labels),
        current=current,
    )


def choice(
    *,
    revision: int | Revision | None = None,
    label: str | None = None,
    as_of: datetime | None = None,
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
            as_of=check_moment(as_of, "as_of"),
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
        case datetime():
            return Choice(as_of=check_moment(wanted, "the time of the revision"))
        case str():
            return choice(label=wanted)
        case int() if not isinstance(wanted, bool):
            return Choice(number=check_limit(wanted, "the number of a revision"))
        case _:
            raise TypeError(
                "a revision must be a number, a label, a time or a Revision, "
                f"not {type(wanted).__name__}"
            )


def _asked[T](
    name: str,
    sql: LiteralString,
    parameters: tuple[object, ...],
    decode: Callable[[Sequence[Row]], T],
) -> Operation[T]:
    return Operation(
        name=name,
        statements=(Statement(OWN + REVISIONS + sql, parameters),),
        bare=(Statement(BARE + REVISIONS + sql, parameters),),
        reads=True,
        decode=decode,
    )


def _titled(revision: Revision) -> str:
    return f"{revision.name} {revision.revision} ({revision.created:%Y-%m-%d %H:%M:%S})"


def _parts_of(revision: Revision) -> dict[str, str]:
    return {
        "content": revision.content,
        "description": revision.description or "",
        "arguments": json.dumps(revision.arguments, ensure_ascii=False, indent=2),
        "meta": json.dumps(revision.meta, ensure_ascii=False, indent=2, sort_keys=True),
    }
