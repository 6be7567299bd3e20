"""New revisions of instructions: only where something changes, and on condition if asked."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, LiteralString, NamedTuple

from draive_pg.codec.json import encode
from draive_pg.codec.validation import check_optional, check_text
from draive_pg.errors import warn
from draive_pg.models import Revision
from draive_pg.operations.documents.instructions import Reference, declared, name_of, stale, turn
from draive_pg.operations.documents.preconditions import ANY, Expectation, numbered, seen
from draive_pg.operations.documents.revisions import BARE, FIELDS, OWN, REVISIONS, decoded
from draive_pg.operations.documents.selectors import (
    CHOICES,
    KNOWN,
    NEWEST,
    Choice,
    Known,
    Target,
    columns,
    target,
)
from draive_pg.operations.operation import Operation, Row, Statement
from draive_pg.templates import check_declared, declared_names, well_formed

if TYPE_CHECKING:
    from draive import InstructionsDeclaration

__all__ = ("Expected", "define", "expectation", "restore")

# What is given of a declaration ($3 to $5), and what the newest revision has where it is not, if
# that is what draive writes.
GIVEN: LiteralString = """,
latest AS (
    SELECT * FROM revisions WHERE current
),
proposed AS (
    SELECT
        $2::TEXT AS content,
        CASE WHEN $4::JSONB IS NULL THEN latest.description ELSE $3::TEXT END AS description,
        CASE
            WHEN $4::JSONB IS NOT NULL THEN $4::JSONB
            WHEN jsonb_typeof(latest.arguments) = 'array'
                AND NOT latest.arguments @? '$[*] ? (!(@.name.type() == "string"))'
                THEN latest.arguments
            ELSE '[]'
        END AS arguments,
        CASE
            WHEN $5::JSONB IS NOT NULL THEN $5::JSONB
            WHEN jsonb_typeof(latest.meta) = 'object' THEN latest.meta
            ELSE '{}'
        END AS meta
    FROM (SELECT) AS always
    LEFT JOIN latest ON TRUE
),
"""

RESTORED: LiteralString = """,
latest AS (
    SELECT * FROM revisions WHERE current
),
proposed AS (
    SELECT content, description, arguments, meta
    FROM choices
    JOIN revisions ON revisions.created = choices.created
),
"""

# The lock is held: later than the clock and than all before it, whatever the clock did. Texts are
# compared, for as JSONB 1 and 1.0 are equal. Placeholders are compared with the declared arguments
# here, where those of the newest revision are known; null stands for a malformed template.
WRITTEN: LiteralString = """
judged AS (
    SELECT
        proposed.*,
        ($6::INT8 IS NULL OR coalesce(latest.revision, 0) = $6::INT8)
            AND ($7::TIMESTAMPTZ IS NULL OR latest.created IS NOT DISTINCT FROM $7::TIMESTAMPTZ)
            AS expected,
        cardinality(declared.names) = 0 OR coalesce($8::TEXT[] <@ declared.names, FALSE) AS fits,
        latest.created IS NULL
            OR (
                proposed.content,
                proposed.description,
                proposed.arguments::TEXT,
                proposed.meta::TEXT
            ) IS DISTINCT FROM (
                latest.content,
                latest.description,
                latest.arguments::TEXT,
                latest.meta::TEXT
            )
            AS changed,
        greatest(clock_timestamp(), latest.created + INTERVAL '1 microsecond') AS created
    FROM proposed
    LEFT JOIN latest ON TRUE
    CROSS JOIN LATERAL (
        SELECT ARRAY(
            SELECT argument #>> '{}'
            FROM jsonb_path_query(
                proposed.arguments, '$[*].name ? (@.type() == "string")'
            ) AS argument
        ) AS names
    ) AS declared
),
written AS (
    INSERT INTO {schema}.instructions (name, description, content, arguments, meta, created)
    SELECT $1::TEXT, description, content, arguments, meta, created
    FROM judged
    WHERE expected AND fits AND changed
    RETURNING name, created, content, description, arguments, meta
)
"""

NOTED: LiteralString = """,
noted AS (
    INSERT INTO {schema}.draive_pg_revisions (name, created, author, message)
    SELECT name, created, $9::TEXT, $10::TEXT FROM written
)
"""

# The revision that was written, or the one that stays the newest.
RESULT: LiteralString = f"""
SELECT {KNOWN}, judged.expected, judged.fits, judged.arguments::TEXT, {FIELDS}
FROM (SELECT) AS always
LEFT JOIN judged ON TRUE
LEFT JOIN (
    SELECT
        written.name,
        (SELECT count(*) + 1 FROM revisions) AS revision,
        written.created,
        written.content,
        written.description,
        written.arguments,
        written.meta,
        $9::TEXT AS author,
        $10::TEXT AS message,
        ARRAY[]::TEXT[] AS labels,
        TRUE AS current
    FROM written
    UNION ALL
    SELECT latest.* FROM latest WHERE NOT EXISTS (SELECT FROM written)
) AS revision ON TRUE
"""

type Expected = int | Revision | None
"""Which revision must be the newest for a write to be done: its number, 0 for that there is none
yet, or the revision itself; None for any."""


class Proposal(NamedTuple):
    """What is to become a revision: a statement of it, with its parameters $2 to $5."""

    sql: LiteralString
    given: tuple[object, ...]
    choice: Choice = NEWEST
    content: str = ""
    placeholders: tuple[str, ...] | None = ()
    expected: Expectation = ANY


def expectation(expected: Expected, name: str) -> Expectation:
    """Return what is expected of a name, or raise ValueError."""
    if not isinstance(expected, Revision):
        return numbered(expected)
    if expected.name != name:
        raise ValueError(f"expected is a revision of {expected.name!r:.80}, not of {name!r:.80}")
    return seen(expected.revision, expected.created)


def define(
    instructions: Reference,
    *,
    content: str,
    message: str | None,
    author: str | None,
    expected: Expected,
) -> Operation[Revision]:
    """A new revision if it differs from the newest one; the newest one."""
    name = name_of(instructions)
    check_text(content, f"the content of instructions {name!r:.80}")
    description, arguments, meta = None, None, None
    if not isinstance(instructions, str):
        from draive_pg.codec import draive_types as codec

        if isinstance(instructions, codec.InstructionsDeclaration):
            description, arguments, meta = declared(instructions)
            _check(instructions, content, name)
        elif instructions.meta:
            meta = encode(instructions.meta, "meta")
    proposal = Proposal(
        GIVEN,
        (content, description, arguments, meta),
        content=content,
        placeholders=well_formed(content),
        expected=expectation(expected, name),
    )
    asked = f"define instructions {name!r:.80}"
    return _writing(asked, name, proposal, author=author, message=message)


def restore(
    instructions: Reference, wanted: Target, *, message: str | None, author: str | None
) -> Operation[Revision]:
    """A new revision that is as an old one was; the newest one, if it is so already."""
    name = name_of(instructions)
    choice = target(wanted, name)
    proposal = Proposal(CHOICES + RESTORED, columns((choice,)), choice=choice)
    asked = f"restore instructions {name!r:.80}"
    return _writing(asked, name, proposal, author=author, message=message)


def _writing(
    asked: str, name: str, proposal: Proposal, *, author: str | None, message: str | None
) -> Operation[Revision]:
    """Build the operation that writes what is proposed, if it may be and makes a difference."""
    note = (check_optional(author, "author"), check_optional(message, "message"))

    def decode(rows: Sequence[Row]) -> Revision:
        revisions, labels, met, fits, arguments, *row = rows[0]
        known = Known(name, revisions, labels)
        if met is None:
            raise known.missing(asked, proposal.choice)
        if not met:
            raise proposal.expected.unmet(asked, _current(row))
        if not fits:
            check_declared(proposal.content, declared_names(json.loads(arguments)), name=name)
        return decoded(row)

    parameters = (
        name,
        *proposal.given,
        proposal.expected.number,
        proposal.expected.created,
        None if proposal.placeholders is None else list(proposal.placeholders),
        *note,
    )
    noted = note != (None, None)
    sql = REVISIONS + proposal.sql + WRITTEN + (NOTED if noted else "") + RESULT
    return Operation(
        name=asked,
        statements=(turn(name), Statement(OWN + sql, parameters)),
        bare=None if noted else (turn(name), Statement(BARE + sql, parameters)),
        decode=decode,
        evicts=stale(name),
    )


def _current(row: Row) -> str:
    if row[0] is None:
        return "there is none"
    current = decoded(row)
    by = f" by {current.author!r:.60}" if current.author else ""
    return f"the newest is revision {current.revision} of {current.created}{by}"


def _check(declaration: "InstructionsDeclaration", content: str, name: str) -> None:
    """Raise where the content is not as declared, and warn of what is declared in vain.

    That is no error: who passes an argument may go on until the last revision that uses it is gone.
    """
    check_declared(content, [argument.name for argument in declaration.arguments], name=name)
    used = well_formed(content) or ()
    unused = [
        argument.name
        for argument in declaration.arguments
        if argument.required and argument.name not in used
    ]
    if unused:
        warn(
            f"instructions {name!r:.80} have no placeholder for {', '.join(map(repr, unused))}, "
            "which they declare as required",
            UserWarning,
        )
