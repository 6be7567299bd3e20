"""All memories: how many there are, and how much they hold."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, LiteralString

from draive_pg.codec.timestamps import Timestamp, from_epoch_us
from draive_pg.codec.validation import check_limit, check_optional, check_position, check_timestamp
from draive_pg.models import MemorySummary, Records
from draive_pg.operations.conversations.expressions import microseconds
from draive_pg.operations.operation import Operation, Row, Statement

__all__ = ("LAST", "Order", "count", "identifiers", "list_")

type Order = Literal["identifier", "created", "last", "elements", "bytes"]

IDENTIFIERS = """
SELECT identifier FROM {schema}.memories ORDER BY identifier
"""

# When something was last written to a memory, or it was made.
LAST: LiteralString = """greatest(
    memory.created,
    (
        SELECT max(created) FROM {schema}.memories_elements AS element
        WHERE element.identifier = memory.identifier
    ),
    (
        SELECT max(created) FROM {schema}.memories_variables AS snapshot
        WHERE snapshot.identifier = memory.identifier
    )
)"""

CHOSEN: LiteralString = f"""
    ($1::TEXT IS NULL OR starts_with(memory.identifier, $1::TEXT))
    AND ($2::TIMESTAMPTZ IS NULL OR {LAST} >= $2::TIMESTAMPTZ)
    AND ($3::TIMESTAMPTZ IS NULL OR {LAST} < $3::TIMESTAMPTZ)
"""

COUNT: LiteralString = f"SELECT count(*) FROM {{schema}}.memories AS memory WHERE {CHOSEN}"

# Sorted by what the memories' own table has, only the memories of the page are looked into.
LIST: LiteralString = f"""
SELECT
    memory.identifier,
    {microseconds("memory.created")},
    {microseconds("held.first")},
    {microseconds("greatest(memory.created, held.last, kept.last)")},
    held.elements,
    kept.snapshots,
    held.bytes + kept.bytes
FROM {{schema}}.memories AS memory
CROSS JOIN LATERAL (
    SELECT
        min(created) AS first,
        max(created) AS last,
        count(*) AS elements,
        coalesce(sum(pg_column_size(content)), 0)::INT8 AS bytes
    FROM {{schema}}.memories_elements AS element
    WHERE element.identifier = memory.identifier
) AS held
CROSS JOIN LATERAL (
    SELECT
        max(created) AS last,
        count(*) AS snapshots,
        coalesce(sum(pg_column_size(variables)), 0)::INT8 AS bytes
    FROM {{schema}}.memories_variables AS snapshot
    WHERE snapshot.identifier = memory.identifier
) AS kept
WHERE {CHOSEN}
ORDER BY ORDER_BY DIRECTION, memory.identifier
LIMIT $4::INT8
OFFSET $5::INT8
"""

ORDERS: Mapping[Order, LiteralString] = {
    "identifier": "memory.identifier",
    "created": "memory.created",
    "last": "greatest(memory.created, held.last, kept.last)",
    "elements": "held.elements",
    "bytes": "held.bytes + kept.bytes",
}


def identifiers() -> Operation[tuple[str, ...]]:
    """The identifiers of all memories, in order."""
    return Operation(
        name="list memories",
        statements=(Statement(IDENTIFIERS),),
        reads=True,
        decode=lambda rows: tuple(row[0] for row in rows),
    )


def count(prefix: str | None, since: Timestamp | None, until: Timestamp | None) -> Operation[int]:
    """How many memories there are."""
    return Operation(
        name="count memories",
        statements=(Statement(COUNT, _chosen(prefix, since, until)),),
        reads=True,
        decode=lambda rows: rows[0][0],
    )


def list_(
    prefix: str | None,
    since: Timestamp | None,
    until: Timestamp | None,
    order: Order,
    limit: int | None,
    offset: int,
    *,
    descending: bool,
) -> Operation[Records[MemorySummary]]:
    """A page of the memories, with how much each holds."""
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r:.60}")
    sql = LIST.replace("ORDER_BY", ORDERS[order]).replace(
        "DIRECTION", "DESC" if descending else "ASC"
    )
    page = (check_limit(limit, "limit"), check_position(offset, "offset"))
    return Operation(
        name="list memories",
        statements=(Statement(sql, (*_chosen(prefix, since, until), *page)),),
        reads=True,
        decode=lambda rows: Records(MemorySummary, map(_summary, rows)),
    )


def _summary(row: Row) -> MemorySummary:
    identifier, created, first, last, *counts = row
    first, last = from_epoch_us(first), from_epoch_us(last)
    return MemorySummary(identifier, from_epoch_us(created), first, last, *counts)


def _chosen(
    prefix: str | None, since: Timestamp | None, until: Timestamp | None
) -> tuple[str | None, datetime | None, datetime | None]:
    return (
        check_optional(prefix, "prefix"),
        check_timestamp(since, "since"),
        check_timestamp(until, "until"),
    )
