"""Instruction revisions: what can be asked of the ``instructions`` table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from draive_pg.content.documents import check_mapping, check_text, encode
from draive_pg.content.leniency import sifted, warn_skipped
from draive_pg.content.templates import render
from draive_pg.operations.operation import Key, Operation, Row, Statement, lock

if TYPE_CHECKING:
    from draive import Instructions, InstructionsDeclaration

__all__ = ("Reference", "available", "define", "load", "load_content", "remove", "resolve")

type Reference = str | Instructions | InstructionsDeclaration

type Listing = tuple[tuple["InstructionsDeclaration", ...], tuple[str, ...]]

TABLE = "instructions"

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
    ORDER BY revision.created DESC
    LIMIT 1
) AS latest
WHERE found.name IS NOT NULL
"""

LATEST = """
SELECT content
FROM {schema}.instructions
WHERE name = $1::TEXT
ORDER BY created DESC
LIMIT 1
"""

# The lock is held: later than the clock and than all before it, whatever the clock did.
DEFINE = """
INSERT INTO {schema}.instructions (name, description, content, arguments, meta, created)
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


def available(*, lenient: bool) -> Operation[tuple["InstructionsDeclaration", ...]]:
    """The declaration of each name's newest revision, in order of the names."""
    from draive_pg.content import codec

    def decode(rows: Sequence[Row]) -> Callable[[], Listing]:
        return codec.shared(
            lambda: sifted(rows, lambda row: codec.decode_declaration(*row), lenient=lenient)
        )

    def present(listed: Callable[[], Listing]) -> tuple["InstructionsDeclaration", ...]:
        declarations, skipped = listed()
        warn_skipped(skipped)
        return declarations

    return Operation(
        name="list instructions",
        statements=(Statement(AVAILABLE),),
        reads=True,
        decode=decode,
        present=present,
        key=Key(TABLE, variant=lenient),
    )


def load_content(name: str) -> Operation[str | None]:
    """The newest content of a name, or None."""
    check_text(name, "the name of the instructions")
    return Operation(
        name=f"load instructions {name!r:.80}",
        statements=(Statement(LATEST, (name,)),),
        reads=True,
        decode=lambda rows: rows[0][0] if rows else None,
        key=Key(TABLE, name),
    )


def load(instructions: Reference) -> Operation[str]:
    """The newest content of the instructions, or InstructionsMissing."""
    name = _name(instructions)
    return _presented(name, lambda content: _found(content, name))


def resolve(
    instructions: Reference | None,
    *,
    arguments: Mapping[str, Any] | None,
    default: str | None,
) -> Operation[str]:
    """The newest content with its placeholders filled, else the default's, as draive resolves."""
    values = {} if arguments is None else dict(check_mapping(arguments, "arguments"))
    if default is not None:
        check_text(default, "default")
    if instructions is None:
        return Operation(
            name="resolve the default instructions",
            statements=(),
            decode=lambda _: render(default or "", values, name="default"),
        )
    name = _name(instructions)
    if not isinstance(instructions, str):
        from draive_pg.content import codec

        values = {**codec.as_reference(instructions).arguments, **values}
    return _presented(
        name,
        lambda content: render(
            _found(content if content is not None else default, name), values, name=name
        ),
    )


def define(instructions: Reference, *, content: str) -> Operation[None]:
    """A new revision, the newest of its name."""
    name = _name(instructions)
    check_text(content, f"the content of instructions {name!r:.80}")
    description, arguments, meta = None, "[]", "{}"
    if not isinstance(instructions, str):
        from draive_pg.content import codec

        declaration = codec.as_declaration(instructions)
        if declaration.description is not None:
            description = check_text(declaration.description, "the description")
        arguments = codec.encode_arguments(declaration, "arguments")
        meta = encode(declaration.meta, "meta")
    return Operation(
        name=f"define instructions {name!r:.80}",
        statements=(
            lock(f"{TABLE}/{name}"),
            Statement(DEFINE, (name, description, content, arguments, meta)),
        ),
        evicts=(Key(TABLE), Key(TABLE, name)),
    )


def remove(instructions: Reference) -> Operation[int]:
    """Remove all revisions of a name; their count."""
    name = _name(instructions)
    return Operation(
        name=f"remove instructions {name!r:.80}",
        statements=(lock(f"{TABLE}/{name}"), Statement(REMOVE, (name,))),
        decode=lambda rows: rows[0][0],
        evicts=(Key(TABLE), Key(TABLE, name)),
    )


def _presented(name: str, present: Callable[[str | None], str]) -> Operation[str]:
    return replace(cast(Operation[Any], load_content(name)), present=present)


def _name(instructions: Reference) -> str:
    if isinstance(instructions, str):
        return check_text(instructions, "the name of the instructions")
    from draive_pg.content import codec

    return check_text(codec.as_reference(instructions).name, "the name of the instructions")


def _found(content: str | None, name: str) -> str:
    if content is None:
        from draive_pg.content import codec

        raise codec.InstructionsMissing(name=name)
    return content
