"""Write one conversation: append elements and variables, seed variables, remove."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, LiteralString

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.validation import check_sent, check_text
from draive_pg.operations.conversations.store import (
    CONVERSATIONS,
    ELEMENT_TABLES,
    ELEMENTS,
    REMOVE_CONVERSATIONS,
    SNAPSHOTS,
    lock_memory,
)
from draive_pg.operations.operation import Operation, Query

if TYPE_CHECKING:
    from draive import ModelInput, ModelOutput


def _next_time(last: LiteralString) -> LiteralString:
    # Later than all earlier rows, even if the clock stepped back.
    return f"greatest(clock_timestamp(), {last} + INTERVAL '1 microsecond')"


def _remember(snapshot: LiteralString = "") -> LiteralString:
    # One JSON array is parsed in a third of the time of TEXT[], which escapes quotes once more.
    return f"""
WITH conversation AS (
    INSERT INTO {ELEMENT_TABLES} (identifier, created)
    VALUES (:identifier::TEXT, now())
    ON CONFLICT (identifier) DO NOTHING
),{snapshot}
batch AS (
    SELECT {_next_time("max(created)")} AS start
    FROM {ELEMENTS} AS element
    WHERE identifier = :identifier::TEXT AND created < 'infinity'
)
INSERT INTO {{schema}}.memories_elements (identifier, content, created)
SELECT
    :identifier::TEXT,
    item.content::JSONB,
    batch.start + (item.number - 1) * INTERVAL '1 microsecond'
FROM batch,
    json_array_elements(:elements::JSON) WITH ORDINALITY AS item (content, number)
ORDER BY item.number
"""


ADD_SNAPSHOT: LiteralString = f"""
snapshot AS (
    INSERT INTO {{schema}}.memories_variables (identifier, variables, created)
    SELECT :identifier::TEXT, :variables::JSONB, {_next_time("max(created)")}
    FROM {SNAPSHOTS} AS snapshot
    WHERE identifier = :identifier::TEXT
),"""

# Two statements: planning an unused variables CTE costs 10 % of a batch.
REMEMBER = Query("memories.remember", _remember())
REMEMBER_VARIABLES = Query("memories.remember_with_variables", _remember(ADD_SNAPSHOT))

# Existing values win over the defaults; no row is written if nothing changes.
MAINTAIN = Query(
    "memories.maintain",
    f"""
WITH conversation AS (
    INSERT INTO {ELEMENT_TABLES} (identifier, created)
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
    f"""
WITH removed AS (
    SELECT identifier FROM {CONVERSATIONS} AS conversation WHERE identifier = :identifier::TEXT
),
{REMOVE_CONVERSATIONS}
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
    documents = ",".join(map(draive_types.encode_element, items, names))
    elements = check_sent(f"[{documents}]", "the items together are")
    snapshot = encode_mapping(variables, "variables")
    if snapshot is None:
        written = REMEMBER(identifier=identifier, elements=elements)
    else:
        written = REMEMBER_VARIABLES(identifier=identifier, elements=elements, variables=snapshot)
    nothing = not items and variables is None
    return Operation(
        name=f"remember in memory {identifier!r:.80}",
        statements=() if nothing else (lock_memory(identifier), written),
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
