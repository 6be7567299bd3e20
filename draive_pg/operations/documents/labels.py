"""Labels of instructions: names such as production that are moved from revision to revision."""

from collections.abc import Sequence
from datetime import UTC
from typing import LiteralString

from draive_pg.codec.validation import check_optional, check_text
from draive_pg.models import Label, Records
from draive_pg.operations.documents.define import Expected, expectation
from draive_pg.operations.documents.instructions import LATEST, Reference, name_of, stale, turn
from draive_pg.operations.documents.revisions import OWN, REVISIONS
from draive_pg.operations.documents.selectors import CHOICES, KNOWN, Known, Target, columns, target
from draive_pg.operations.operation import Operation, Row, Statement

__all__ = ("history", "labels", "move", "remove")


# As `decoded` takes them.
FIELDS: LiteralString = """
    move.name,
    move.label,
    revision.revision,
    move.created,
    move.moved,
    move.author,
    move.message
"""

LABELS: LiteralString = f"""
SELECT {FIELDS}
FROM held AS move
JOIN revisions AS revision USING (name, created)
ORDER BY move.name, move.label
"""

HISTORY: LiteralString = f"""
SELECT {FIELDS}
FROM moves AS move
LEFT JOIN revisions AS revision USING (name, created)
WHERE $2::TEXT IS NULL OR move.label = $2::TEXT
ORDER BY move.moved DESC, move.label
"""

# The lock is held, as for new revisions: later than the clock and than all moves before.
MOVE: LiteralString = f""",
before AS (
    SELECT held.*, revisions.revision
    FROM held
    LEFT JOIN revisions USING (name, created)
    WHERE held.label = $6::TEXT
),
judged AS (
    SELECT
        revisions.created,
        ($7::INT8 IS NULL OR coalesce(before.revision, 0) = $7::INT8)
            AND ($8::TIMESTAMPTZ IS NULL OR before.created IS NOT DISTINCT FROM $8::TIMESTAMPTZ)
            AS expected,
        before.created IS DISTINCT FROM revisions.created AS changed,
        greatest(clock_timestamp(), before.moved + INTERVAL '1 microsecond') AS moved
    FROM choices
    JOIN revisions ON revisions.created = choices.created
    LEFT JOIN before ON TRUE
),
written AS (
    INSERT INTO {{schema}}.draive_pg_labels (name, label, revision, moved, author, message)
    SELECT $1::TEXT, $6::TEXT, created, moved, $9::TEXT, $10::TEXT
    FROM judged
    WHERE expected AND changed
    RETURNING name, label, revision AS created, moved, author, message
)
SELECT {KNOWN}, judged.expected, {FIELDS}
FROM (SELECT) AS always
LEFT JOIN judged ON TRUE
LEFT JOIN (
    SELECT name, label, created, moved, author, message FROM written
    UNION ALL
    SELECT name, label, created, moved, author, message
    FROM before
    WHERE NOT EXISTS (SELECT FROM written)
) AS move ON TRUE
LEFT JOIN revisions AS revision ON revision.created = move.created
"""

REMOVE = """
WITH held AS (
    SELECT revision, moved
    FROM {schema}.draive_pg_labels
    WHERE name = $1::TEXT AND label = $2::TEXT
    ORDER BY moved DESC
    LIMIT 1
),
removed AS (
    INSERT INTO {schema}.draive_pg_labels (name, label, moved, author, message)
    SELECT
        $1::TEXT,
        $2::TEXT,
        greatest(clock_timestamp(), moved + INTERVAL '1 microsecond'),
        $3::TEXT,
        $4::TEXT
    FROM held
    WHERE revision IS NOT NULL
    RETURNING label
)
SELECT EXISTS (SELECT FROM removed)
"""


def labels(instructions: Reference | None) -> Operation[Records[Label]]:
    """The labels of a name, or of all names, that are on a revision, in order."""
    name = None if instructions is None else name_of(instructions)
    return Operation(
        name="list labels" if name is None else f"list the labels of instructions {name!r:.80}",
        statements=(Statement(OWN + REVISIONS + LABELS, (name,)),),
        reads=True,
        decode=_decoded,
    )


def history(instructions: Reference, label: str | None) -> Operation[Records[Label]]:
    """The moves of a name's labels, or of one of them, the newest first."""
    name = name_of(instructions)
    wanted = check_optional(label, "label")
    return Operation(
        name=f"read the label history of instructions {name!r:.80}",
        statements=(Statement(OWN + REVISIONS + HISTORY, (name, wanted)),),
        reads=True,
        decode=_decoded,
    )


def move(
    instructions: Reference,
    label: str,
    wanted: Target,
    *,
    author: str | None,
    message: str | None,
    expected: Expected,
) -> Operation[Label]:
    """Move a label to a revision, unless it is there; its newest move."""
    name = name_of(instructions)
    asked = f"label instructions {name!r:.80}"
    choice, expectations = target(wanted, name), expectation(expected, name)

    def decode(rows: Sequence[Row]) -> Label:
        revisions, known_labels, met, *row = rows[0]
        if met is None:
            raise Known(name, revisions, known_labels).missing(asked, choice)
        if not met:
            on = "on none" if row[2] is None else f"on revision {row[2]}, since {row[4]}"
            raise expectations.unmet(f"{asked} as {label!r:.80}", f"the label is {on}")
        return _label(row)

    given = (check_optional(author, "author"), check_optional(message, "message"))
    statement = Statement(
        OWN + REVISIONS + CHOICES + MOVE,
        (name, *columns((choice,)), _movable(label), *expectations[:2], *given),
    )
    return Operation(
        name=asked, statements=(turn(name), statement), decode=decode, evicts=stale(name)
    )


def remove(
    instructions: Reference, label: str, *, author: str | None, message: str | None
) -> Operation[bool]:
    """Remove a label from a name; whether it was there."""
    name = name_of(instructions)
    given = (check_optional(author, "author"), check_optional(message, "message"))
    return Operation(
        name=f"remove a label of instructions {name!r:.80}",
        statements=(turn(name), Statement(REMOVE, (name, _movable(label), *given))),
        decode=lambda rows: rows[0][0],
        evicts=stale(name),
    )


def _movable(label: str) -> str:
    """Return a label that can be put on a revision, or raise TypeError or ValueError."""
    check_text(label, "label")
    if label == LATEST:
        raise ValueError("the label 'latest' is always on the newest revision; choose another")
    if not label.strip() or label.isdecimal():
        raise ValueError(f"a label is a name that is no number, not {label!r:.60}")
    return label


def _decoded(rows: Sequence[Row]) -> Records[Label]:
    return Records(Label, map(_label, rows))


def _label(row: Row) -> Label:
    name, label, revision, created, moved, author, message = row
    return Label(
        name=name,
        label=label,
        revision=revision,
        created=None if created is None else created.astimezone(UTC),
        moved=moved.astimezone(UTC),
        author=author,
        message=message,
    )
