"""Copy a memory, or its first elements, to another identifier, or rename it."""

from collections.abc import Sequence

from draive_pg.codec.validation import check_position, check_text
from draive_pg.errors import MemoryExists
from draive_pg.operations.conversations.store import ELEMENTS, SNAPSHOTS, lock_memories
from draive_pg.operations.operation import Operation, Query, Row

# With a position, variables are copied up to the time of the element after it.
FORK = Query(
    "memories.fork",
    f"""
WITH source AS (
    SELECT identifier FROM {{schema}}.memories AS conversation
    WHERE identifier = :identifier::TEXT
),
numbered AS (
    SELECT
        content,
        created,
        place,
        row_number() OVER (ORDER BY created, place) - 1 AS position
    FROM {ELEMENTS} AS element
    WHERE identifier = :identifier::TEXT
),
target AS (
    INSERT INTO {{schema}}.memories (identifier, created)
    SELECT :new_identifier::TEXT, now()
    FROM source
    WHERE :position::INT8 IS NULL
        OR EXISTS (SELECT FROM numbered WHERE position = :position::INT8)
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
),
variables AS (
    INSERT INTO {{schema}}.memories_variables (identifier, variables, created)
    SELECT :new_identifier::TEXT, snapshot.variables, snapshot.created
    FROM target, {SNAPSHOTS} AS snapshot
    WHERE snapshot.identifier = :identifier::TEXT
        AND NOT EXISTS (
            SELECT FROM numbered
            WHERE position = :position::INT8 + 1 AND numbered.created <= snapshot.created
        )
    ORDER BY snapshot.created, snapshot.place
),
elements AS (
    INSERT INTO {{schema}}.memories_elements (identifier, content, created)
    SELECT :new_identifier::TEXT, numbered.content, numbered.created
    FROM target, numbered
    WHERE :position::INT8 IS NULL OR numbered.position <= :position::INT8
    ORDER BY numbered.position
)
SELECT
    EXISTS (SELECT FROM source) AS existed,
    (SELECT count(*) FROM numbered) AS elements,
    EXISTS (SELECT FROM target) AS created
""",
)


# INSERT and DELETE instead of UPDATE: the role may lack UPDATE.
RENAME = Query(
    "memories.rename",
    f"""
WITH source AS (
    SELECT identifier, created FROM {{schema}}.memories AS conversation
    WHERE identifier = :identifier::TEXT
),
target AS (
    INSERT INTO {{schema}}.memories (identifier, created)
    SELECT :new_identifier::TEXT, source.created FROM source
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
),
variables AS (
    INSERT INTO {{schema}}.memories_variables (identifier, variables, created)
    SELECT :new_identifier::TEXT, snapshot.variables, snapshot.created
    FROM target, {SNAPSHOTS} AS snapshot
    WHERE snapshot.identifier = :identifier::TEXT
    ORDER BY snapshot.created, snapshot.place
),
elements AS (
    INSERT INTO {{schema}}.memories_elements (identifier, content, created)
    SELECT :new_identifier::TEXT, element.content, element.created
    FROM target, {ELEMENTS} AS element
    WHERE element.identifier = :identifier::TEXT
    ORDER BY element.created, element.place
),
removed AS (
    DELETE FROM {{schema}}.memories AS conversation
    USING target WHERE conversation.identifier = :identifier::TEXT
)
SELECT EXISTS (SELECT FROM source) AS existed, EXISTS (SELECT FROM target) AS created
""",
)


def fork(identifier: str, new_identifier: str, position: int | None) -> Operation[bool]:
    """Copy a memory, or its elements up to a position; return whether the memory exists."""
    check_text(identifier, "identifier")
    check_text(new_identifier, "new_identifier")
    check_position(position, "position")
    name = f"fork memory {identifier!r:.80}"

    def decode(rows: Sequence[Row]) -> bool:
        existed, elements, created = rows[0]
        if existed and position is not None and position >= elements:
            raise ValueError(f"{name}: position {position} is out of range ({elements} elements)")
        return _check_copied(name, new_identifier, existed=existed, created=created)

    return Operation(
        name=name,
        statements=(
            lock_memories((new_identifier,)),
            FORK(identifier=identifier, new_identifier=new_identifier, position=position),
        ),
        decode=decode,
    )


def rename(identifier: str, new_identifier: str) -> Operation[bool]:
    """Move a memory to another identifier; return whether the memory exists."""
    check_text(identifier, "identifier")
    check_text(new_identifier, "new_identifier")
    name = f"rename memory {identifier!r:.80}"

    def decode(rows: Sequence[Row]) -> bool:
        existed, created = rows[0]
        return _check_copied(name, new_identifier, existed=existed, created=created)

    return Operation(
        name=name,
        statements=(
            lock_memories((identifier, new_identifier)),
            RENAME(identifier=identifier, new_identifier=new_identifier),
        ),
        decode=decode,
    )


def _check_copied(name: str, new_identifier: str, *, existed: bool, created: bool) -> bool:
    if existed and not created:
        raise MemoryExists(
            f"{name}: memory {new_identifier!r:.80} exists already; "
            "remove it first, or choose another identifier"
        )
    return existed
