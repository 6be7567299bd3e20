"""Write one conversation: append elements and variables, seed variables, remove."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, LiteralString

from draive_pg.codec.elements import encode_document
from draive_pg.codec.json import OnInvalid, check_invalid, encode, encode_mapping, storable
from draive_pg.codec.validation import check_sent, check_text
from draive_pg.operations.conversations.annotations import FORGET, NOT_WRITTEN
from draive_pg.operations.conversations.keys import (
    EXPIRATION,
    FORGET_EXPIRED,
    FRESH,
    IS_FRESH,
    key_values,
)
from draive_pg.operations.conversations.relations import (
    CONVERSATIONS,
    ELEMENT_TABLES,
    LOCATED,
    REMOVE_CONVERSATIONS,
    SNAPSHOTS,
    STEP,
    WRITES,
    lock_key,
    lock_memory,
)
from draive_pg.operations.operation import Operation, Query, next_time

if TYPE_CHECKING:
    from draive import ModelInput, ModelOutput

type Element = ModelInput | ModelOutput | Mapping[str, Any]
"""An element of draive 0.87 to 0.92, or its document."""


# Takes the lock of the memory as `lock_memory`, and creates it under the lock. In the statement
# that writes the elements, this takes a third more time, because of the data-modifying CTE.
BEGIN = Query(
    "memories.begin_remember",
    f"""
INSERT INTO {ELEMENT_TABLES} (identifier, created)
SELECT :identifier::TEXT, now()
FROM (
    SELECT pg_advisory_xact_lock({lock_key(":identifier::TEXT")}) AS lock
    FROM (
        SELECT count(*) FROM {LOCATED} AS conversation WHERE identifier = :identifier::TEXT
    ) AS located
) AS locked
WHERE lock IS NOT NULL
ON CONFLICT (identifier) DO NOTHING
""",
)


def _elements(where: LiteralString = "") -> LiteralString:
    # One JSON array is parsed in a third of the time of TEXT[], which escapes quotes once more.
    return f"""
INSERT INTO {{schema}}.memories_elements (identifier, content, created)
SELECT
    :identifier::TEXT,
    item.content::JSONB,
    batch.start + (item.number - 1) * {STEP}
FROM (
    SELECT {next_time("max(created)")} AS start
    FROM {WRITES} AS element
    WHERE identifier = :identifier::TEXT AND created < 'infinity'
) AS batch, json_array_elements(:elements::JSON) WITH ORDINALITY AS item (content, number){where}
ORDER BY item.number
"""


def _snapshot(having: LiteralString = "") -> LiteralString:
    return f"""
INSERT INTO {{schema}}.memories_variables (identifier, variables, created)
SELECT :identifier::TEXT, :variables::JSONB, {next_time("max(created)")}
FROM {SNAPSHOTS} AS snapshot
WHERE identifier = :identifier::TEXT{having}
"""


def _once(*, variables: bool = False) -> LiteralString:
    snapshot: LiteralString = (
        f",\nsnapshot AS ({_snapshot(f' HAVING {IS_FRESH}')})" if variables else ""
    )
    where: LiteralString = f"\nWHERE {IS_FRESH}"
    return f"""
WITH {FRESH},
conversation AS (
    INSERT INTO {ELEMENT_TABLES} (identifier, created)
    SELECT :identifier::TEXT, now(){where}
    ON CONFLICT (identifier) DO NOTHING
){snapshot}
{_elements(where).strip()}
"""


REMEMBER = Query("memories.remember", _elements())
REMEMBER_VARIABLES = Query("memories.remember_variables", _snapshot())
REMEMBER_ONCE = Query("memories.remember_once", _once())
REMEMBER_VARIABLES_ONCE = Query("memories.remember_once_with_variables", _once(variables=True))

# Existing values win over the defaults; no row is written if nothing changes.
MAINTAIN = Query(
    "memories.maintain",
    f"""
INSERT INTO {{schema}}.memories_variables (identifier, variables, created)
SELECT
    :identifier::TEXT,
    :defaults::JSONB || coalesce(current.variables, '{{}}'),
    {next_time("current.created")}
FROM (SELECT) AS one_row
LEFT JOIN (
    SELECT
        CASE jsonb_typeof(variables) WHEN 'object' THEN variables ELSE '{{}}' END AS variables,
        created
    FROM {SNAPSHOTS} AS snapshot
    WHERE identifier = :identifier::TEXT
    ORDER BY created DESC, place DESC
    LIMIT 1
) AS current ON TRUE
WHERE :defaults::JSONB || coalesce(current.variables, '{{}}') IS DISTINCT FROM current.variables
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


def encode_element(element: Element, what: str, *, repair: bool = False) -> str:
    """Encode an element, or its document, as JSON text.

    Raises
    ------
    TypeError, ValueError
        If it is none, or PostgreSQL cannot store it; unless ``repair``, which replaces the
        characters that it cannot.
    """
    if isinstance(element, Mapping):
        return encode_document(storable(element) if repair else element, what)
    from draive_pg.codec import draive_elements

    if repair and isinstance(element, draive_elements.ModelInput | draive_elements.ModelOutput):
        return encode(storable(element.to_mapping()), what)
    return draive_elements.encode_element(element, what)


def remember(
    identifier: str,
    items: Sequence[Element],
    variables: Mapping[str, Any] | None,
    *,
    key: str | None = None,
    key_expiration: timedelta = EXPIRATION,
    invalid: OnInvalid = "refuse",
) -> Operation[None]:
    """Append elements in order, and a snapshot of the variables if given; with a key, once."""
    check_text(identifier, "identifier")
    repair = check_invalid(invalid)
    documents = ",".join(
        [encode_element(item, f"items[{n}]", repair=repair) for n, item in enumerate(items)]
    )
    elements = check_sent(f"[{documents}]", "the items together are")
    snapshot = encode_mapping(
        storable(variables) if repair and variables is not None else variables, "variables"
    )
    values = {"identifier": identifier}
    if not items and snapshot is None:
        statements = []
    elif key is not None:
        values |= {"elements": elements, **key_values(key, key_expiration)}
        statements = [
            lock_memory(identifier),
            FORGET_EXPIRED(identifier=identifier),
            REMEMBER_ONCE(**values)
            if snapshot is None
            else REMEMBER_VARIABLES_ONCE(**values, variables=snapshot),
        ]
    else:
        statements = [BEGIN(**values)]
        if items:
            statements.append(REMEMBER(**values, elements=elements))
        if snapshot is not None:  # after the elements, so that it is later than they are
            statements.append(REMEMBER_VARIABLES(**values, variables=snapshot))
    return Operation(
        name=f"remember in memory {identifier!r:.80}",
        statements=tuple(statements),
    )


def maintain(identifier: str, variables: Mapping[str, Any] | None) -> Operation[None]:
    """Create a memory unless it exists, and set the variables that it does not have yet."""
    check_text(identifier, "identifier")
    defaults = encode_mapping(variables, "variables")
    return Operation(
        name=f"maintain memory {identifier!r:.80}",
        statements=(
            BEGIN(identifier=identifier),
            *([] if defaults is None else [MAINTAIN(identifier=identifier, defaults=defaults)]),
        ),
    )


def remove(identifier: str) -> Operation[bool]:
    """Remove a memory with all that belongs to it, and return whether it existed."""
    check_text(identifier, "identifier")
    return Operation(
        name=f"remove memory {identifier!r:.80}",
        statements=(
            lock_memory(identifier),
            FORGET(identifier=identifier),
            REMOVE(identifier=identifier),
        ),
        fallback=NOT_WRITTEN,
        decode=lambda rows: rows[0][0],
    )
