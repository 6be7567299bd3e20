"""Write one conversation: append elements and variables, seed variables, import a chat, remove."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, LiteralString

from draive_pg.codec.json import encode, encode_mapping
from draive_pg.codec.validation import check_sent, check_text
from draive_pg.errors import ChatInvalid, MemoryExists
from draive_pg.operations.conversations.store import ELEMENTS, SNAPSHOTS, lock_memory
from draive_pg.operations.operation import Operation, Query, Row, Statement

if TYPE_CHECKING:
    from draive import ModelInput, ModelOutput


def _next_time(last: LiteralString) -> LiteralString:
    # Later than all earlier rows, even if the clock stepped back.
    return f"greatest(clock_timestamp(), {last} + INTERVAL '1 microsecond')"


def _remember(snapshot: LiteralString = "") -> LiteralString:
    # One JSON array is parsed in a third of the time of TEXT[], which escapes quotes once more.
    return f"""
WITH allowed AS (
    SELECT
    WHERE :append::BOOLEAN
        OR NOT EXISTS (SELECT FROM {ELEMENTS} AS element WHERE identifier = :identifier::TEXT)
),
conversation AS (
    INSERT INTO {{schema}}.memories (identifier, created)
    SELECT :identifier::TEXT, now() FROM allowed
    ON CONFLICT (identifier) DO NOTHING
),{snapshot}
batch AS (
    SELECT {_next_time("max(created)")} AS start
    FROM {ELEMENTS} AS element
    WHERE identifier = :identifier::TEXT AND created < 'infinity'
),
added AS (
    INSERT INTO {{schema}}.memories_elements (identifier, content, created)
    SELECT
        :identifier::TEXT,
        item.content::JSONB,
        batch.start + (item.number - 1) * INTERVAL '1 microsecond'
    FROM allowed, batch,
        json_array_elements(:elements::JSON) WITH ORDINALITY AS item (content, number)
    ORDER BY item.number
    RETURNING identifier
)
SELECT EXISTS (SELECT FROM allowed) AS allowed, (SELECT count(*) FROM added) AS added
"""


ADD_SNAPSHOT: LiteralString = f"""
snapshot AS (
    INSERT INTO {{schema}}.memories_variables (identifier, variables, created)
    SELECT :identifier::TEXT, :variables::JSONB, {_next_time("max(created)")}
    FROM {SNAPSHOTS} AS snapshot
    WHERE identifier = :identifier::TEXT
    HAVING EXISTS (SELECT FROM allowed)
),"""

# Two statements: planning an unused variables CTE costs 10 % of a batch.
REMEMBER = Query("memories.remember", _remember())
REMEMBER_VARIABLES = Query("memories.remember_with_variables", _remember(ADD_SNAPSHOT))

# Existing values win over the defaults; no row is written if nothing changes.
MAINTAIN = Query(
    "memories.maintain",
    f"""
WITH conversation AS (
    INSERT INTO {{schema}}.memories (identifier, created)
    VALUES (:identifier::TEXT, now())
    ON CONFLICT (identifier) DO NOTHING
),
current AS (
    SELECT
        CASE jsonb_typeof(variables) WHEN 'object' THEN variables ELSE '{{}}' END AS variables,
        created
    FROM {SNAPSHOTS} AS snapshot
    WHERE identifier = :identifier::TEXT
    ORDER BY created DESC, place DESC
    LIMIT 1
)
INSERT INTO {{schema}}.memories_variables (identifier, variables, created)
SELECT
    :identifier::TEXT,
    :defaults::JSONB || coalesce(current.variables, '{{}}'),
    {_next_time("current.created")}
FROM (SELECT) AS one_row
LEFT JOIN current ON TRUE
WHERE :defaults::JSONB || coalesce(current.variables, '{{}}') IS DISTINCT FROM current.variables
    AND :defaults::JSONB IS NOT NULL
""",
)

REMOVE = Query(
    "memories.remove",
    """
WITH removed AS (
    DELETE FROM {schema}.memories WHERE identifier = :identifier::TEXT RETURNING identifier
)
SELECT EXISTS (SELECT FROM removed)
""",
)


def remember(
    identifier: str,
    items: "Sequence[ModelInput | ModelOutput]",
    variables: Mapping[str, Any] | None,
) -> Operation[None]:
    """Append draive's elements in order, and a snapshot of the variables if given."""
    from draive_pg.codec import draive_types

    check_text(identifier, "identifier")
    names = (f"items[{index}]" for index in count())
    elements = _array(map(draive_types.encode_element, items, names))
    written = _append(identifier, elements, encode_mapping(variables, "variables"))
    nothing = not items and variables is None
    return Operation(
        name=f"remember in memory {identifier!r:.80}",
        statements=() if nothing else (lock_memory(identifier), written),
    )


def import_chat(
    identifier: str,
    messages: Iterable[Mapping[str, Any]],
    *,
    append: bool,
) -> Operation[int]:
    """Append the messages of a chat log as elements, and return how many elements they made."""
    from draive_pg.chat.messages import convert

    check_text(identifier, "identifier")
    chat = convert(messages)
    try:
        elements = _array(map(encode, chat.elements, chat.sources))
        variables = None if chat.system is None else encode({"system": chat.system}, "variables")
    except (TypeError, ValueError) as error:
        raise ChatInvalid(str(error)) from error

    # Variables first: the system message must be older than the first element.
    first = () if variables is None else (_append(identifier, "[]", variables, append),)

    def decode(rows: Sequence[Row]) -> int:
        allowed, added = rows[0]
        if not allowed:
            raise MemoryExists(
                f"import chat into memory {identifier!r:.80}: it already has elements; "
                "remove it first, or append to it with append=True"
            )
        return added

    return Operation(
        name=f"import chat into memory {identifier!r:.80}",
        statements=(
            lock_memory(identifier),
            *first,
            _append(identifier, elements, None, append),
        ),
        decode=decode,
    )


def maintain(identifier: str, variables: Mapping[str, Any] | None) -> Operation[None]:
    """Create a memory unless it exists, and set the variables that it does not have yet."""
    check_text(identifier, "identifier")
    defaults = encode_mapping(variables, "variables")
    return Operation(
        name=f"maintain memory {identifier!r:.80}",
        statements=(
            lock_memory(identifier),
            MAINTAIN(identifier=identifier, defaults=defaults),
        ),
    )


def remove(identifier: str) -> Operation[bool]:
    """Remove a memory with its elements and variables, and return whether it existed."""
    check_text(identifier, "identifier")
    return Operation(
        name=f"remove memory {identifier!r:.80}",
        statements=(
            lock_memory(identifier),
            REMOVE(identifier=identifier),
        ),
        decode=lambda rows: rows[0][0],
    )


def _append(
    identifier: str,
    elements: str,
    variables: str | None,
    append: bool = True,  # noqa: FBT001, FBT002 - private
) -> Statement:
    if variables is None:
        return REMEMBER(identifier=identifier, elements=elements, append=append)
    return REMEMBER_VARIABLES(
        identifier=identifier, elements=elements, append=append, variables=variables
    )


def _array(documents: Iterable[str]) -> str:
    return check_sent(f"[{','.join(documents)}]", "the items together are")
