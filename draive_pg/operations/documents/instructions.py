"""The ``instructions`` table as draive knows it: its listing, new revisions, their removal."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from draive_pg.codec.json import encode
from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_optional, check_text, check_timestamp
from draive_pg.operations.operation import (
    Key,
    Operation,
    Row,
    Statement,
    advisory_lock,
    decode_rows,
    warn_skipped,
)

if TYPE_CHECKING:
    from draive import Instructions, InstructionsDeclaration

__all__ = (
    "LATEST",
    "TABLE",
    "Reference",
    "append",
    "available",
    "declared",
    "name_of",
    "remove",
    "stale",
    "subject_of",
    "turn",
)

type Reference = str | Instructions | InstructionsDeclaration

type Listing = tuple[tuple["InstructionsDeclaration", ...], tuple[str, ...]]

TABLE = "instructions"
LATEST = "latest"  # the label that is always on the newest revision

# Steps from one name to the next by the key's index, and reads only the newest row of each.
AVAILABLE = """
WITH RECURSIVE found AS (
    (SELECT name FROM {schema}.instructions ORDER BY name LIMIT 1)
    UNION ALL
    SELECT (
        SELECT later.name
        FROM {schema}.instructions AS later
        WHERE later.name > found.name
        ORDER BY later.name
        LIMIT 1
    )
    FROM found
    WHERE found.name IS NOT NULL
)
SELECT found.name, latest.description, latest.arguments::TEXT, latest.meta::TEXT
FROM found
CROSS JOIN LATERAL (
    SELECT revision.description, revision.arguments, revision.meta
    FROM {schema}.instructions AS revision
    WHERE revision.name = found.name
        AND ($1::TIMESTAMPTZ IS NULL OR revision.created <= $1::TIMESTAMPTZ)
    ORDER BY revision.created DESC
    LIMIT 1
) AS latest
WHERE found.name IS NOT NULL
"""

LABELLED = """
SELECT revision.name, revision.description, revision.arguments::TEXT, revision.meta::TEXT
FROM (
    SELECT DISTINCT ON (name) name, revision AS created
    FROM {schema}.draive_pg_labels
    WHERE label = $2::TEXT AND ($1::TIMESTAMPTZ IS NULL OR moved <= $1::TIMESTAMPTZ)
    ORDER BY name, moved DESC
) AS held
JOIN {schema}.instructions AS revision USING (name, created)
ORDER BY revision.name
"""

# The lock is held: later than the clock and than all before it, whatever the clock did.
APPEND = """
INSERT INTO {schema}.instructions (name, content, description, arguments, meta, created)
SELECT
    $1::TEXT,
    $2::TEXT,
    $3::TEXT,
    $4::JSONB,
    $5::JSONB,
    greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond')
FROM {schema}.instructions
WHERE name = $1::TEXT
"""

REMOVE = """
WITH removed AS (
    DELETE FROM {schema}.instructions WHERE name = $1::TEXT RETURNING name
)
SELECT count(*) FROM removed
"""


def available(
    *, as_of: Timestamp | None = None, label: str | None = None, lenient: bool
) -> Operation[tuple["InstructionsDeclaration", ...]]:
    """The declaration of each name's newest or labelled revision, in order of the names."""
    from draive_pg.codec import draive_types as codec

    as_of = check_timestamp(as_of, "as_of")
    if check_optional(label, "label") in (None, LATEST):
        statement, variant = Statement(AVAILABLE, (as_of,)), as_of
    else:
        statement, variant = Statement(LABELLED, (as_of, label)), (as_of, label)

    def decode(rows: Sequence[Row]) -> Callable[[], Listing]:
        return codec.immutable_or_factory(
            lambda: decode_rows(
                rows, lambda row: codec.decode_declaration(*row), skip_invalid=lenient
            )
        )

    def present(listed: Callable[[], Listing]) -> tuple["InstructionsDeclaration", ...]:
        declarations, skipped = listed()
        warn_skipped(skipped)
        return declarations

    return Operation(
        name="list instructions",
        statements=(statement,),
        reads=True,
        decode=decode,
        present=present,
        key=Key(TABLE, variant=(variant, lenient)),
    )


def append(declaration: "InstructionsDeclaration", *, content: str) -> Operation[None]:
    """A new revision whatever the newest one is, as draive writes it."""
    name = name_of(declaration)
    check_text(content, f"the content of instructions {name!r:.80}")
    return Operation(
        name=f"define instructions {name!r:.80}",
        statements=(
            turn(name),
            Statement(APPEND, (name, content, *declared(declaration))),
        ),
        evicts=stale(name),
    )


def remove(instructions: Reference) -> Operation[int]:
    """Remove all revisions of a name; their count."""
    name = name_of(instructions)
    return Operation(
        name=f"remove instructions {name!r:.80}",
        statements=(turn(name), Statement(REMOVE, (name,))),
        decode=lambda rows: rows[0][0],
        evicts=stale(name),
    )


def turn(name: str) -> Statement:
    """Make those who write revisions or labels of a name take turns."""
    return advisory_lock(subject_of(name))


def subject_of(name: str) -> str:
    """Return what those lock who write revisions or labels of a name."""
    return f"{TABLE}/{name}"


def stale(name: str) -> tuple[Key, ...]:
    """Return what a change of a name's revisions or labels makes stale."""
    return (Key(TABLE), Key(TABLE, name))


def name_of(instructions: Reference) -> str:
    """Return the name that a name, a reference or a declaration stands for."""
    if isinstance(instructions, str):
        return check_text(instructions, "the name of the instructions")
    from draive_pg.codec import draive_types as codec

    return check_text(codec.as_reference(instructions).name, "the name of the instructions")


def declared(declaration: "InstructionsDeclaration") -> tuple[str | None, str, str]:
    """Return a declaration's description, and its arguments and its meta as JSON texts."""
    from draive_pg.codec import draive_types as codec

    description = declaration.description
    return (
        check_optional(description, "the description"),
        codec.encode_arguments(declaration, "arguments"),
        encode(declaration.meta, "meta"),
    )
