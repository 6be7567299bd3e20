"""List and count memories; suggest identifiers similar to a missing one."""

from collections.abc import Mapping, Sequence
from typing import Literal, LiteralString

from draive_pg.codec.timestamps import Timestamp, check_timestamp, from_epoch_us
from draive_pg.codec.validation import MAX_INTEGER, check_limit, check_optional, check_position
from draive_pg.errors import MemoryMissing, similar_names
from draive_pg.models.conversations import MemorySummary
from draive_pg.models.record import Records
from draive_pg.operations.conversations.expressions import epoch_us
from draive_pg.operations.conversations.store import CONVERSATIONS, ELEMENTS, SNAPSHOTS, WRITES
from draive_pg.operations.operation import Operation, Query, Request, Row, Steps, workflow

type Order = Literal["identifier", "created", "last", "elements", "bytes"]

MAX_COMPARED = 1_000  # identifiers compared with a missing one


# When `conversation` was created or last written to.
LAST_WRITTEN: LiteralString = f"""greatest(
    conversation.created,
    (
        SELECT max(created) FROM {WRITES} AS element
        WHERE element.identifier = conversation.identifier
    ),
    (
        SELECT max(created) FROM {SNAPSHOTS} AS snapshot
        WHERE snapshot.identifier = conversation.identifier
    )
)"""

MATCHING: LiteralString = f"""
    (:prefix::TEXT IS NULL OR starts_with(conversation.identifier, :prefix::TEXT))
    AND (:since::TIMESTAMPTZ IS NULL OR {LAST_WRITTEN} >= :since::TIMESTAMPTZ)
    AND (:until::TIMESTAMPTZ IS NULL OR {LAST_WRITTEN} < :until::TIMESTAMPTZ)"""

IDENTIFIERS = Query(
    "memories.identifiers", f"SELECT identifier FROM {CONVERSATIONS} AS conversation ORDER BY 1"
)

# Candidates are the neighbours in sort order, which share a prefix with the missing identifier.
SIMILAR = Query(
    "memories.similar",
    f"""
(
    SELECT identifier FROM {CONVERSATIONS} AS conversation
    WHERE identifier >= :identifier::TEXT ORDER BY identifier LIMIT :limit::INT8 / 2
)
UNION ALL
(
    SELECT identifier FROM {CONVERSATIONS} AS conversation
    WHERE identifier < :identifier::TEXT ORDER BY identifier DESC LIMIT :limit::INT8 / 2
)
""",
)

COUNT = Query(
    "memories.count",
    f"""
SELECT count(*) FROM {CONVERSATIONS} AS conversation
WHERE{MATCHING}
""",
)

ORDERS: Mapping[Order, LiteralString] = {
    "identifier": "conversation.identifier",
    "created": "conversation.created",
    "last": "greatest(conversation.created, held.last, kept.last)",
    "elements": "held.elements",
    "bytes": "held.bytes + kept.bytes",
}

DIRECTIONS: Mapping[bool, LiteralString] = {False: "ASC", True: "DESC"}


def _list(order: Order, direction: LiteralString) -> LiteralString:
    return f"""
SELECT
    conversation.identifier,
    {epoch_us("conversation.created")},
    {epoch_us("held.first")},
    {epoch_us(ORDERS["last"])},
    held.elements,
    kept.snapshots,
    held.bytes + kept.bytes
FROM {CONVERSATIONS} AS conversation
CROSS JOIN LATERAL (
    SELECT
        min(created) AS first,
        max(created) AS last,
        count(*) AS elements,
        coalesce(sum(pg_column_size(content)), 0)::INT8 AS bytes
    FROM {ELEMENTS} AS element
    WHERE element.identifier = conversation.identifier
) AS held
CROSS JOIN LATERAL (
    SELECT
        max(created) AS last,
        count(*) AS snapshots,
        coalesce(sum(pg_column_size(variables)), 0)::INT8 AS bytes
    FROM {SNAPSHOTS} AS snapshot
    WHERE snapshot.identifier = conversation.identifier
) AS kept
WHERE{MATCHING}
ORDER BY {ORDERS[order]} {direction}, conversation.identifier
LIMIT :limit::INT8
OFFSET :offset::INT8
"""


# With order `identifier` or `created`, PostgreSQL aggregates only the memories of the page.
LISTS: Mapping[tuple[Order, bool], Query] = {
    (order, descending): Query(
        f"memories.list.{order}.{direction.lower()}", _list(order, direction)
    )
    for order in ORDERS
    for descending, direction in DIRECTIONS.items()
}


def identifiers() -> Operation[tuple[str, ...]]:
    """Return the identifiers of all memories, sorted."""
    return Operation(
        name="list memories",
        statements=(IDENTIFIERS(),),
        read_only=True,
        decode=lambda rows: tuple(row[0] for row in rows),
    )


def count(prefix: str | None, since: Timestamp | None, until: Timestamp | None) -> Operation[int]:
    """Count the memories that match."""
    return Operation(
        name="count memories",
        statements=(COUNT(**_filters(prefix, since, until)),),
        read_only=True,
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
    """Return one page of the memories that match."""
    if not isinstance(order, str) or order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r:.60}")
    check_limit(limit, "limit")
    statement = LISTS[order, bool(descending)](
        **_filters(prefix, since, until),
        limit=None if limit is None else min(limit + 1, MAX_INTEGER),  # one more: truncated?
        offset=check_position(offset, "offset"),
    )
    return Operation(
        name="list memories",
        statements=(statement,),
        read_only=True,
        decode=lambda rows: Records(MemorySummary, map(_summary, rows), limit=limit),
    )


@workflow
def require_memory[T](request: Request[bool], action: str, identifier: str, result: T) -> Steps[T]:
    """Run a request that returns whether the memory exists, and return a result.

    Raises
    ------
    MemoryMissing
        If the memory does not exist; the message suggests similar identifiers.
    """
    if not (yield request):
        message = f"{action} memory {identifier!r:.80}: there is no such memory"
        raise (yield from memory_missing(message, identifier))
    return result


def memory_missing(message: str, identifier: str) -> Steps[MemoryMissing]:
    """Build the error for a missing memory, with similar identifiers that exist."""
    others: Sequence[str] = yield Operation(
        name="list similar memories",
        statements=(SIMILAR(identifier=identifier, limit=MAX_COMPARED),),
        read_only=True,
        decode=lambda rows: [row[0] for row in rows],
    )
    return MemoryMissing(f"{message}{similar_names(identifier, others)}")


def _summary(row: Row) -> MemorySummary:
    identifier, created, first, last, *counts = row
    first, last = from_epoch_us(first), from_epoch_us(last)
    return MemorySummary(identifier, from_epoch_us(created), first, last, *counts)


def _filters(
    prefix: str | None, since: Timestamp | None, until: Timestamp | None
) -> dict[str, object]:
    return {
        "prefix": check_optional(prefix, "prefix"),
        "since": check_timestamp(since, "since"),
        "until": check_timestamp(until, "until"),
    }
