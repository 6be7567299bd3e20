"""Write one conversation: append elements and variables, seed variables, import a chat, remove."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, LiteralString

from draive_pg.codec.json import encode, encode_mapping
from draive_pg.codec.validation import check_sent, check_text
from draive_pg.errors import ChatInvalid, MemoryExists
from draive_pg.operations.conversations.store import (
    MEMORIES,
    ElementStore,
    StoreQuery,
    lock_conversation,
)
from draive_pg.operations.operation import Operation, Row, Statement

if TYPE_CHECKING:
    from draive import ModelInput, ModelOutput


def _next_time(last: LiteralString) -> LiteralString:
    # Later than all earlier rows, even if the clock stepped back.
    return f"greatest(clock_timestamp(), {last} + INTERVAL '1 microsecond')"


def _remember(store: ElementStore, snapshot: LiteralString = "") -> LiteralString:
    # One JSON array is parsed in a third of the time of TEXT[], which escapes quotes once more.
    return f"""
WITH allowed AS (
    SELECT
    WHERE :append::BOOLEAN
        OR NOT EXISTS (SELECT FROM {store.elements} AS element WHERE identifier = :identifier::TEXT)
),
conversation AS (
    {store.insert_conversations}
    SELECT :identifier::TEXT, now() FROM allowed
    ON CONFLICT (identifier) DO NOTHING
),{snapshot}
batch AS (
    SELECT {_next_time("max(created)")} AS start
    FROM {store.elements} AS element
    WHERE identifier = :identifier::TEXT
),
added AS (
    {store.insert_elements}
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


def _snapshot(store: ElementStore) -> LiteralString:
    return f"""
snapshot AS (
    {store.insert_variables}
    SELECT :identifier::TEXT, :variables::JSONB, {_next_time("max(created)")}
    FROM {store.variables} AS snapshot
    WHERE identifier = :identifier::TEXT
    HAVING EXISTS (SELECT FROM allowed)
),"""


# Two statements: planning an unused variables CTE costs 10 % of a batch.
REMEMBER = StoreQuery("remember", _remember)
REMEMBER_VARIABLES = StoreQuery(
    "remember_with_variables", lambda store: _remember(store, _snapshot(store))
)

# Existing values win over the defaults; no row is written if nothing changes.
MAINTAIN = StoreQuery(
    "maintain",
    lambda store: (
        f"""
WITH conversation AS (
    {store.insert_conversations}
    VALUES (:identifier::TEXT, now())
    ON CONFLICT (identifier) DO NOTHING
),
current AS (
    SELECT
        CASE jsonb_typeof(variables) WHEN 'object' THEN variables ELSE '{{}}' END AS variables,
        created
    FROM {store.variables} AS snapshot
    WHERE identifier = :identifier::TEXT
    ORDER BY created DESC, place DESC
    LIMIT 1
)
{store.insert_variables}
SELECT
    :identifier::TEXT,
    :defaults::JSONB || coalesce(current.variables, '{{}}'),
    {_next_time("current.created")}
FROM (SELECT) AS one_row
LEFT JOIN current ON TRUE
WHERE :defaults::JSONB || coalesce(current.variables, '{{}}') IS DISTINCT FROM current.variables
    AND :defaults::JSONB IS NOT NULL
"""
    ),
)

REMOVE = StoreQuery(
    "remove",
    lambda store: (
        f"""
WITH removed AS (
    {store.delete_conversations} WHERE identifier = :identifier::TEXT RETURNING identifier
)
SELECT EXISTS (SELECT FROM removed)
"""
    ),
)


def remember(
    identifier: str,
    items: "Sequence[ModelInput | ModelOutput]",
    variables: Mapping[str, Any] | None,
    store: ElementStore = MEMORIES,
) -> Operation[None]:
    """Append draive's elements in order, and a snapshot of the variables if given."""
    from draive_pg.codec import draive_types

    check_text(identifier, "identifier")
    names = (f"items[{index}]" for index in count())
    elements = _array(map(draive_types.encode_element, items, names))
    written = _append(store, identifier, elements, encode_mapping(variables, "variables"))
    nothing = not items and variables is None
    return Operation(
        name=f"remember in memory {identifier!r:.80}",
        statements=() if nothing else (lock_conversation(store, identifier), written),
    )


def import_chat(
    identifier: str,
    messages: Iterable[Mapping[str, Any]],
    *,
    append: bool,
    store: ElementStore = MEMORIES,
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
    first = () if variables is None else (_append(store, identifier, "[]", variables, append),)

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
            lock_conversation(store, identifier),
            *first,
            _append(store, identifier, elements, None, append),
        ),
        decode=decode,
    )


def maintain(
    identifier: str, variables: Mapping[str, Any] | None, store: ElementStore = MEMORIES
) -> Operation[None]:
    """Create a memory unless it exists, and set the variables that it does not have yet."""
    check_text(identifier, "identifier")
    defaults = encode_mapping(variables, "variables")
    return Operation(
        name=f"maintain memory {identifier!r:.80}",
        statements=(
            lock_conversation(store, identifier),
            MAINTAIN(store, identifier=identifier, defaults=defaults),
        ),
    )


def remove(identifier: str, store: ElementStore = MEMORIES) -> Operation[bool]:
    """Remove a memory with its elements and variables, and return whether it existed."""
    check_text(identifier, "identifier")
    return Operation(
        name=f"remove memory {identifier!r:.80}",
        statements=(
            lock_conversation(store, identifier),
            REMOVE(store, identifier=identifier),
        ),
        decode=lambda rows: rows[0][0],
    )


def _append(
    store: ElementStore,
    identifier: str,
    elements: str,
    variables: str | None,
    append: bool = True,  # noqa: FBT001, FBT002 - private
) -> Statement:
    if variables is None:
        return REMEMBER(store, identifier=identifier, elements=elements, append=append)
    return REMEMBER_VARIABLES(
        store, identifier=identifier, elements=elements, append=append, variables=variables
    )


def _array(documents: Iterable[str]) -> str:
    return check_sent(f"[{','.join(documents)}]", "the items together are")
