"""A memory under another identifier: a copy of it, or itself."""

from collections.abc import Sequence

from draive_pg.codec.validation import check_position, check_text
from draive_pg.errors import MemoryExists, MemoryMissing
from draive_pg.operations.conversations.write import turns
from draive_pg.operations.operation import Operation, Row, Statement

__all__ = ("fork", "rename")

# Up to a position, the variables are those that held when the next element was written.
FORK = """
WITH source AS (
    SELECT identifier FROM {schema}.memories WHERE identifier = $1::TEXT
),
numbered AS (
    SELECT
        content,
        created,
        ctid AS place,
        row_number() OVER (ORDER BY created, ctid) - 1 AS position
    FROM {schema}.memories_elements
    WHERE identifier = $1::TEXT
),
target AS (
    INSERT INTO {schema}.memories (identifier)
    SELECT $2::TEXT
    FROM source
    WHERE $3::INT8 IS NULL OR EXISTS (SELECT FROM numbered WHERE position = $3::INT8)
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
),
variables AS (
    INSERT INTO {schema}.memories_variables (identifier, variables, created)
    SELECT $2::TEXT, snapshot.variables, snapshot.created
    FROM target, {schema}.memories_variables AS snapshot
    WHERE snapshot.identifier = $1::TEXT
        AND NOT EXISTS (
            SELECT FROM numbered
            WHERE position = $3::INT8 + 1 AND numbered.created <= snapshot.created
        )
    ORDER BY snapshot.created, snapshot.ctid
),
elements AS (
    INSERT INTO {schema}.memories_elements (identifier, content, created)
    SELECT $2::TEXT, numbered.content, numbered.created
    FROM target, numbered
    WHERE $3::INT8 IS NULL OR numbered.position <= $3::INT8
    ORDER BY numbered.position
)
SELECT
    EXISTS (SELECT FROM source) AS existed,
    (SELECT count(*) FROM numbered) AS elements,
    EXISTS (SELECT FROM target) AS made
"""

# Its rows are written anew, for which the right to insert and to delete is enough.
RENAME = """
WITH source AS (
    SELECT identifier, created FROM {schema}.memories WHERE identifier = $1::TEXT
),
target AS (
    INSERT INTO {schema}.memories (identifier, created)
    SELECT $2::TEXT, source.created FROM source
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
),
variables AS (
    INSERT INTO {schema}.memories_variables (identifier, variables, created)
    SELECT $2::TEXT, snapshot.variables, snapshot.created
    FROM target, {schema}.memories_variables AS snapshot
    WHERE snapshot.identifier = $1::TEXT
    ORDER BY snapshot.created, snapshot.ctid
),
elements AS (
    INSERT INTO {schema}.memories_elements (identifier, content, created)
    SELECT $2::TEXT, element.content, element.created
    FROM target, {schema}.memories_elements AS element
    WHERE element.identifier = $1::TEXT
    ORDER BY element.created, element.ctid
),
removed AS (
    DELETE FROM {schema}.memories USING target WHERE memories.identifier = $1::TEXT
)
SELECT EXISTS (SELECT FROM source) AS existed, EXISTS (SELECT FROM target) AS made
"""


def fork(identifier: str, new_identifier: str, position: int | None) -> Operation[None]:
    """Copy a memory, its times included, to an identifier that has none; all or its beginning."""
    check_text(identifier, "identifier")
    check_text(new_identifier, "new_identifier")
    check_position(position, "position")
    name = f"fork memory {identifier!r:.80}"

    def decode(rows: Sequence[Row]) -> None:
        existed, elements, made = rows[0]
        if existed and position is not None and position >= elements:
            raise ValueError(f"{name}: there is no position {position} in its {elements} elements")
        _check_copied(name, new_identifier, existed=existed, made=made)

    return Operation(
        name=name,
        statements=(
            turns((new_identifier,)),
            Statement(FORK, (identifier, new_identifier, position)),
        ),
        decode=decode,
    )


def rename(identifier: str, new_identifier: str) -> Operation[None]:
    """Give a memory another identifier, that has none."""
    check_text(identifier, "identifier")
    check_text(new_identifier, "new_identifier")
    name = f"rename memory {identifier!r:.80}"

    def decode(rows: Sequence[Row]) -> None:
        existed, made = rows[0]
        _check_copied(name, new_identifier, existed=existed, made=made)

    return Operation(
        name=name,
        statements=(
            turns((identifier, new_identifier)),
            Statement(RENAME, (identifier, new_identifier)),
        ),
        decode=decode,
    )


def _check_copied(name: str, new_identifier: str, *, existed: bool, made: bool) -> None:
    if not existed:
        raise MemoryMissing(f"{name}: there is no such memory")
    if not made:
        raise MemoryExists(
            f"{name}: memory {new_identifier!r:.80} exists already; "
            "remove it first, or choose another identifier"
        )
