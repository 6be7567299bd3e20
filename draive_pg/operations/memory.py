"""Conversational memory: what can be asked of the three ``memories`` tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from draive_pg.content.documents import (
    check_limit,
    check_mapping,
    check_sent,
    check_text,
    encode,
)
from draive_pg.content.leniency import sifted, warn_skipped
from draive_pg.content.replay import newest, replayable
from draive_pg.errors import ChatInvalid, MemoryExists
from draive_pg.operations.operation import Operation, Plan, Row, Statement, lock

if TYPE_CHECKING:
    from draive import ModelInput, ModelMemoryRecall, ModelOutput

__all__ = (
    "identifiers",
    "import_chat",
    "maintain",
    "recall",
    "recall_leniently",
    "remember",
    "remove",
    "turns",
)

IDENTIFIERS = """
SELECT identifier FROM {schema}.memories ORDER BY identifier
"""

# The elements in order, then the newest variables (where $2 is true, the newest that are any): one
# statement, so one instant of both.
# Rows that draive wrote may share `created`; `ctid` then gives the order in which they came, as
# long as they took no place of removed rows.
RECALL = """
SELECT written, document
FROM (
    SELECT created::TEXT AS written, created, ctid AS place, content::TEXT AS document
    FROM {schema}.memories_elements
    WHERE identifier = $1::TEXT
    UNION ALL
    (
        SELECT NULL, NULL, NULL, variables::TEXT
        FROM {schema}.memories_variables
        WHERE identifier = $1::TEXT AND (jsonb_typeof(variables) = 'object' OR NOT $2::BOOLEAN)
        ORDER BY created DESC, ctid DESC
        LIMIT 1
    )
) AS recalled
ORDER BY created, place
"""

# The same of the newest elements only; when no user turn is among them, of all since the newest.
# Backwards by the index both times, and no further than that takes.
RECALL_NEWEST = """
SELECT written, document
FROM (
    (
        SELECT created::TEXT AS written, created, ctid AS place, content::TEXT AS document
        FROM {schema}.memories_elements
        WHERE identifier = $1::TEXT
        ORDER BY created DESC, ctid DESC
        LIMIT greatest($2::INT8, (
            SELECT number
            FROM (
                SELECT content, row_number() OVER (ORDER BY created DESC, ctid DESC) AS number
                FROM {schema}.memories_elements
                WHERE identifier = $1::TEXT
            ) AS backward
            WHERE content ->> 'type' = 'model_input'
                AND NOT content -> 'blocks' @> '[{"type": "tool_response"}]'
            LIMIT 1
        ))
    )
    UNION ALL
    (
        SELECT NULL, NULL, NULL, variables::TEXT
        FROM {schema}.memories_variables
        WHERE identifier = $1::TEXT
        ORDER BY created DESC, ctid DESC
        LIMIT 1
    )
) AS recalled
ORDER BY created, place
"""

# The lock is held: each batch starts later than the clock and than all before it, whatever the
# clock did. The memory's own row is made here, for the first write may come before any upkeep.
# Where $4 is false, nothing is written to a memory that has elements. One JSON text is read in a
# third of the time of an array of texts, where each quotation mark is escaped once more.
WRITE = """
WITH allowed AS (
    SELECT
    WHERE $4::BOOLEAN
        OR NOT EXISTS (SELECT FROM {schema}.memories_elements WHERE identifier = $1::TEXT)
),
memory AS (
    INSERT INTO {schema}.memories (identifier)
    SELECT $1::TEXT FROM allowed
    ON CONFLICT (identifier) DO NOTHING
),
snapshot AS (
    INSERT INTO {schema}.memories_variables (identifier, variables, created)
    SELECT
        $1::TEXT,
        $3::JSONB,
        greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond')
    FROM {schema}.memories_variables
    WHERE identifier = $1::TEXT
    HAVING $3::JSONB IS NOT NULL AND EXISTS (SELECT FROM allowed)
),
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

TURNS = """
SELECT pg_advisory_xact_lock(hashtextextended('memories/' || identifier, 0))
FROM unnest($1::TEXT[]) AS identifier
"""

REMOVE = """
WITH removed AS (
    DELETE FROM {schema}.memories WHERE identifier = $1::TEXT RETURNING identifier
)
SELECT EXISTS (SELECT FROM removed)
"""


def identifiers() -> Operation[tuple[str, ...]]:
    """The identifiers of all memories, in order."""
    return Operation(
        name="list memories",
        statements=(Statement(IDENTIFIERS),),
        reads=True,
        decode=lambda rows: tuple(row[0] for row in rows),
    )


def recall(identifier: str, limit: int | None) -> "Operation[ModelMemoryRecall]":
    """The newest variables, and the elements that can be replayed to a model."""
    return _recalling(identifier, limit, _recalled)


def recall_leniently(identifier: str, limit: int | None) -> "Plan[ModelMemoryRecall]":
    """The same of the rows that can be read; where some cannot, the whole memory is looked at."""
    read: Read = yield _recalling(identifier, limit, lenient=True)
    if skipped := read.skipped:
        statement = Statement(RECALL, (identifier, True))
        read = yield replace(_recalling(identifier, None, lenient=True), statements=(statement,))
        warn_skipped(dict.fromkeys((*read.skipped, *skipped)))
    return _recalled(read._replace(elements=newest(read.elements, limit)))


def remember(
    identifier: str,
    items: "Sequence[ModelInput | ModelOutput]",
    variables: Mapping[str, Any] | None,
) -> Operation[None]:
    """Append elements in their order, and a snapshot of the variables if given."""
    check_text(identifier, "identifier")
    names = (f"items[{index}]" for index in count())
    written = Statement(WRITE, (identifier, _elements(items, names), _variables(variables), True))
    nothing = not items and variables is None
    return Operation(
        name=f"remember in memory {identifier!r:.80}",
        statements=() if nothing else (_turn(identifier), written),
    )


def import_chat(
    identifier: str, messages: Iterable[Mapping[str, Any]], *, append: bool
) -> Operation[int]:
    """Write a chat log's messages as elements of a memory; the count of the elements."""
    from draive_pg.content.chat import convert

    check_text(identifier, "identifier")
    chat = convert(messages)
    system = None if chat.system is None else {"system": chat.system}
    try:
        elements, variables = _elements(chat.elements, chat.sources), _variables(system)
    except (TypeError, ValueError) as error:
        raise ChatInvalid(str(error)) from error

    # So that the system's message holds when the first element is written.
    first = () if variables is None else (Statement(WRITE, (identifier, "[]", variables, append)),)

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
            Statement(WRITE, (identifier, elements, None, append)),
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
            Statement(MAINTAIN, (identifier, _variables(variables))),
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


class Read(NamedTuple):
    """What a memory holds, and what is wrong with the rows that a lenient reading left out."""

    elements: "Sequence[ModelInput | ModelOutput]"
    variables: Mapping[str, Any]
    skipped: Sequence[str]


def _recalling[T](
    identifier: str,
    limit: int | None,
    present: Callable[[Read], T] = lambda read: read,
    *,
    lenient: bool = False,
) -> Operation[T]:
    check_text(identifier, "identifier")
    check_limit(limit, "limit")

    def decode(rows: Sequence[Row]) -> Read:
        from draive_pg.content import codec

        elements, skipped = sifted(
            (row for row in rows if row[0] is not None),
            lambda row: codec.decode_element(row[1], partial(_element, identifier, row[0])),
            lenient=lenient,
        )
        variables, skipped_too = sifted(
            (row[1] for row in rows if row[0] is None),
            lambda document: codec.decode_variables(
                document, f"the newest variables of memory {identifier!r:.80}"
            ),
            lenient=lenient,
        )
        return Read(elements, variables[0] if variables else {}, skipped + skipped_too)

    return Operation(
        name=f"recall memory {identifier!r:.80}",
        statements=(
            Statement(RECALL, (identifier, False))
            if limit is None
            else Statement(RECALL_NEWEST, (identifier, limit)),
        ),
        reads=True,
        decode=decode,
        present=present,
    )


def _recalled(read: Read) -> "ModelMemoryRecall":
    from draive_pg.content import codec

    return codec.recall(replayable(read.elements), read.variables)


def _element(identifier: str, written: str) -> str:
    return f"memory {identifier!r:.80}, element of {written},"


def _turn(identifier: str) -> Statement:
    return lock(f"memories/{identifier}")


def turns(identifiers: Iterable[str]) -> Statement:
    """Wait for the writers of several memories, in an order in which nobody waits in a circle."""
    return Statement(TURNS, (sorted(set(identifiers)),))


def _elements(items: "Sequence[ModelInput | ModelOutput]", names: Iterable[str]) -> str:
    from draive_pg.content import codec

    encoded = (codec.encode_element(item, name) for item, name in zip(items, names, strict=False))
    return check_sent(f"[{','.join(encoded)}]", "the items together are")


def _variables(variables: Mapping[str, Any] | None) -> str | None:
    if variables is None:
        return None
    return encode(check_mapping(variables, "variables"), "variables")
