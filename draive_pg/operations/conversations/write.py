"""One conversational memory as it is written: in the three ``memories`` tables."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, LiteralString

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.validation import check_sent, check_text
from draive_pg.errors import ChatInvalid, MemoryExists
from draive_pg.operations.operation import Operation, Row, Statement, advisory_lock, advisory_locks

if TYPE_CHECKING:
    from draive import ModelInput, ModelOutput

__all__ = (
    "import_chat",
    "maintain",
    "remember",
    "remove",
    "turns",
)

# The lock is held: each batch starts later than the clock and than all before it, whatever the
# clock did. The memory's own row is made here, for the first write may come before any upkeep.
# Where $3 is false, nothing is written to a memory that has elements. One JSON text is read in a
# third of the time of an array of texts, where each quotation mark is escaped once more.
ALLOWED: LiteralString = """
WITH allowed AS (
    SELECT
    WHERE $3::BOOLEAN
        OR NOT EXISTS (SELECT FROM {schema}.memories_elements WHERE identifier = $1::TEXT)
),
memory AS (
    INSERT INTO {schema}.memories (identifier)
    SELECT $1::TEXT FROM allowed
    ON CONFLICT (identifier) DO NOTHING
)
"""
SNAPSHOT: LiteralString = """
snapshot AS (
    INSERT INTO {schema}.memories_variables (identifier, variables, created)
    SELECT
        $1::TEXT,
        $4::JSONB,
        greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond')
    FROM {schema}.memories_variables
    WHERE identifier = $1::TEXT
    HAVING EXISTS (SELECT FROM allowed)
)
"""
ADDED: LiteralString = """
batch AS (
    SELECT greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond') AS start
    FROM {schema}.memories_elements
    WHERE identifier = $1::TEXT
),
added AS (
    INSERT INTO {schema}.memories_elements (identifier, content, created)
    SELECT
        $1::TEXT,
        item.content::JSONB,
        batch.start + (item.number - 1) * INTERVAL '1 microsecond'
    FROM allowed, batch, json_array_elements($2::JSON) WITH ORDINALITY AS item (content, number)
    ORDER BY item.number
    RETURNING identifier
)
SELECT EXISTS (SELECT FROM allowed) AS allowed, (SELECT count(*) FROM added) AS added
"""

# Two, for a tenth of the time of a batch would be spent on planning a snapshot that it has not.
WRITE = f"{ALLOWED}, {ADDED}"
WRITE_WITH_VARIABLES = f"{ALLOWED}, {SNAPSHOT}, {ADDED}"

# Defaults: what the memory's variables hold already stays, and no row is written in vain.
MAINTAIN = """
WITH memory AS (
    INSERT INTO {schema}.memories (identifier)
    VALUES ($1::TEXT)
    ON CONFLICT (identifier) DO NOTHING
),
current AS (
    SELECT
        CASE jsonb_typeof(variables) WHEN 'object' THEN variables ELSE '{}' END AS variables,
        created
    FROM {schema}.memories_variables
    WHERE identifier = $1::TEXT
    ORDER BY created DESC, ctid DESC
    LIMIT 1
)
INSERT INTO {schema}.memories_variables (identifier, variables, created)
SELECT
    $1::TEXT,
    $2::JSONB || coalesce(current.variables, '{}'),
    greatest(clock_timestamp(), current.created + INTERVAL '1 microsecond')
FROM (SELECT) AS always
LEFT JOIN current ON TRUE
WHERE $2::JSONB || coalesce(current.variables, '{}') IS DISTINCT FROM current.variables
    AND $2::JSONB IS NOT NULL
"""

REMOVE = """
WITH removed AS (
    DELETE FROM {schema}.memories WHERE identifier = $1::TEXT RETURNING identifier
)
SELECT EXISTS (SELECT FROM removed)
"""


def remember(
    identifier: str,
    items: "Sequence[ModelInput | ModelOutput]",
    variables: Mapping[str, Any] | None,
) -> Operation[None]:
    """Append elements in their order, and a snapshot of the variables if given."""
    check_text(identifier, "identifier")
    names = (f"items[{index}]" for index in count())
    written = _write(
        identifier, _elements(items, names), encode_mapping(variables, "variables"), append=True
    )
    nothing = not items and variables is None
    return Operation(
        name=f"remember in memory {identifier!r:.80}",
        statements=() if nothing else (_turn(identifier), written),
    )


def import_chat(
    identifier: str, messages: Iterable[Mapping[str, Any]], *, append: bool
) -> Operation[int]:
    """Write a chat log's messages as elements of a memory; the count of the elements."""
    from draive_pg.chat.messages import convert

    check_text(identifier, "identifier")
    chat = convert(messages)
    system = None if chat.system is None else {"system": chat.system}
    try:
        elements, variables = (
            _elements(chat.elements, chat.sources),
            encode_mapping(system, "variables"),
        )
    except (TypeError, ValueError) as error:
        raise ChatInvalid(str(error)) from error

    # So that the system's message holds when the first element is written.
    first = () if variables is None else (_write(identifier, "[]", variables, append=append),)

    def decode(rows: Sequence[Row]) -> int:
        allowed, added = rows[0]
        if not allowed:
            raise MemoryExists(
                f"import chat into memory {identifier!r:.80}: it has elements already; "
                "remove it first, or append to it with append=True"
            )
        return added

    return Operation(
        name=f"import chat into memory {identifier!r:.80}",
        statements=(
            _turn(identifier),
            *first,
            _write(identifier, elements, None, append=append),
        ),
        decode=decode,
    )


def maintain(identifier: str, variables: Mapping[str, Any] | None) -> Operation[None]:
    """Make the memory's own row, and seed the variables that it does not have yet."""
    check_text(identifier, "identifier")
    return Operation(
        name=f"maintain memory {identifier!r:.80}",
        statements=(
            _turn(identifier),
            Statement(MAINTAIN, (identifier, encode_mapping(variables, "variables"))),
        ),
    )


def remove(identifier: str) -> Operation[bool]:
    """Remove a memory with all it holds; whether there was one."""
    check_text(identifier, "identifier")
    return Operation(
        name=f"remove memory {identifier!r:.80}",
        statements=(_turn(identifier), Statement(REMOVE, (identifier,))),
        decode=lambda rows: rows[0][0],
    )


def _write(identifier: str, elements: str, variables: str | None, *, append: bool) -> Statement:
    if variables is None:
        return Statement(WRITE, (identifier, elements, append))
    return Statement(WRITE_WITH_VARIABLES, (identifier, elements, append, variables))


def _turn(identifier: str) -> Statement:
    return advisory_lock(f"memories/{identifier}")


def turns(identifiers: Iterable[str]) -> Statement:
    """Make the writers of several memories take turns."""
    return advisory_locks(f"memories/{identifier}" for identifier in identifiers)


def _elements(items: "Sequence[ModelInput | ModelOutput]", names: Iterable[str]) -> str:
    from draive_pg.codec import draive_types as codec

    encoded = (codec.encode_element(item, name) for item, name in zip(items, names, strict=False))
    return check_sent(f"[{','.join(encoded)}]", "the items together are")
