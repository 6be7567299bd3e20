"""List and count memories; suggest identifiers similar to a missing one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, LiteralString, TypedDict, Unpack

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.timestamps import Timestamp, check_timestamp, from_epoch_us
from draive_pg.codec.validation import MAX_INTEGER, check_limit, check_optional, check_position
from draive_pg.errors import MemoryMissing, similar_names
from draive_pg.models.conversations import MemorySummary
from draive_pg.models.record import Records
from draive_pg.operations.conversations.expressions import epoch_us
from draive_pg.operations.conversations.relations import (
    CONVERSATIONS,
    ELEMENTS,
    FENCE,
    META,
    SNAPSHOTS,
    WRITES,
)
from draive_pg.operations.operation import (
    ByLine,
    Operation,
    Query,
    Request,
    Row,
    Steps,
    read_rows,
    workflow,
)

type Order = Literal["identifier", "created", "last", "elements", "bytes"]

MAX_COMPARED = 1_000  # identifiers compared with a missing one

# How many of the memories created first are read to find those written to longest ago.
EARLY = 100
EARLY_PER_MEMORY = 4


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

LISTED: LiteralString = f"""{MATCHING}
    AND (:variables::JSONB IS NULL OR (
        SELECT variables @> :variables::JSONB
        FROM {SNAPSHOTS} AS snapshot
        WHERE snapshot.identifier = conversation.identifier
        ORDER BY created DESC, place DESC
        LIMIT 1
    ))
    AND (:meta::JSONB IS NULL OR EXISTS (
        SELECT FROM {META} AS element
        WHERE element.identifier = conversation.identifier AND element.meta @> :meta::JSONB
    ))"""

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
WHERE{LISTED}
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


def _list(order: Order, direction: LiteralString, condition: LiteralString) -> LiteralString:
    return f"""
SELECT
    conversation.identifier,
    {epoch_us("conversation.created")},
    {epoch_us("held.first")},
    {epoch_us(ORDERS["last"])},
    held.elements,
    kept.snapshots,
    held.bytes + kept.bytes,
    (
        SELECT variables ->> 'title'
        FROM {SNAPSHOTS} AS snapshot
        WHERE snapshot.identifier = conversation.identifier
        ORDER BY created DESC, place DESC
        LIMIT 1
    )
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
WHERE {condition}
ORDER BY {ORDERS[order]} {direction}, conversation.identifier
"""


ALL: LiteralString = f"(SELECT * FROM {CONVERSATIONS} AS conversation WHERE{LISTED})"

PAGE: LiteralString = "LIMIT :limit::INT8\nOFFSET :offset::INT8\n"


def _listed(order: Order, direction: LiteralString) -> LiteralString:
    if order != "last":
        return _list(order, direction, LISTED) + PAGE
    ordered = f"ORDER BY {LAST_WRITTEN} {direction}, identifier\n{PAGE}"
    return _list(
        order,
        direction,
        f"conversation.identifier IN (SELECT identifier FROM {ALL} AS conversation\n{ordered})",
    )


# Except for order `elements` and `bytes`, only the memories of the page are aggregated.
LISTS: Mapping[tuple[Order, bool], Query] = {
    (order, descending): Query(
        f"memories.list.{order}.{direction.lower()}", _listed(order, direction)
    )
    for order in ORDERS
    for descending, direction in DIRECTIONS.items()
}

# The memories that were written to last, by indexes of times: each row is the last write of a
# memory, or skipped. The fence keeps the rows in the order of the indexes.
RECENT: LiteralString = f"""(
    SELECT DISTINCT ON (written.created, written.identifier) conversation.*
    FROM (
        SELECT identifier, created FROM {CONVERSATIONS} AS conversation
        UNION ALL
        SELECT identifier, created FROM {WRITES} AS element
        UNION ALL
        SELECT identifier, created FROM {SNAPSHOTS} AS snapshot
    ) AS written
    CROSS JOIN LATERAL (
        SELECT identifier, created
        FROM {CONVERSATIONS} AS conversation
        WHERE conversation.identifier = written.identifier
        {FENCE}
    ) AS conversation
    WHERE written.created = {LAST_WRITTEN}
        AND (:since::TIMESTAMPTZ IS NULL OR written.created >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR written.created < :until::TIMESTAMPTZ)
    ORDER BY written.created DESC, written.identifier
    LIMIT :limit::INT8
    OFFSET :offset::INT8
)"""

# The memories that were written to longest ago are among those that were created first: no other
# memory can have been written to before the creation of the last of them. If these are too few,
# all memories are read.
STALE: LiteralString = f"""(
    WITH early AS MATERIALIZED (
        SELECT conversation.identifier, conversation.created, {LAST_WRITTEN} AS last
        FROM {CONVERSATIONS} AS conversation
        ORDER BY created
        LIMIT :early::INT8
    ),
    certain AS MATERIALIZED (
        SELECT * FROM early
        WHERE (last < (SELECT max(created) FROM early)
                OR (SELECT count(*) FROM early) < :early::INT8)
            AND (:since::TIMESTAMPTZ IS NULL OR last >= :since::TIMESTAMPTZ)
            AND (:until::TIMESTAMPTZ IS NULL OR last < :until::TIMESTAMPTZ)
    ),
    enough AS (
        SELECT count(*) - :offset::INT8 >= :limit::INT8 AS enough FROM certain
    )
    SELECT identifier, created, last FROM certain WHERE (SELECT enough FROM enough)
    UNION ALL
    SELECT identifier, created, {LAST_WRITTEN} AS last
    FROM {CONVERSATIONS} AS conversation
    WHERE NOT (SELECT enough FROM enough)
        AND (:since::TIMESTAMPTZ IS NULL OR {LAST_WRITTEN} >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR {LAST_WRITTEN} < :until::TIMESTAMPTZ)
    ORDER BY last, identifier
    LIMIT :limit::INT8
    OFFSET :offset::INT8
)"""


def _on(page: LiteralString) -> LiteralString:
    """Return the condition of the memories of a short page, which the index finds."""
    return f"conversation.identifier = ANY (ARRAY(SELECT identifier FROM {page} AS page))"


LIST_RECENT = Query("memories.list.recent", _list("last", "DESC", _on(RECENT)))

LIST_STALE = Query("memories.list.stale", _list("last", "ASC", _on(STALE)))

FIND_RECENT = Query("memories.find.recent", f"SELECT identifier FROM {RECENT} AS conversation")

FIND = Query(
    "memories.find",
    f"""
SELECT identifier FROM {ALL} AS conversation
ORDER BY {LAST_WRITTEN} DESC, identifier
{PAGE}""",
)


def identifiers() -> Operation[tuple[str, ...]]:
    """Return the identifiers of all memories, sorted."""
    return read_rows("list memories", IDENTIFIERS(), lambda rows: tuple(row[0] for row in rows))


class Selection(TypedDict, total=False):
    """Which memories to list, count or find; see `Memories.list`."""

    prefix: str | None
    since: Timestamp | None
    until: Timestamp | None
    variables: Mapping[str, Any] | None
    meta: Mapping[str, Any] | None


def count(**selection: Unpack[Selection]) -> Operation[int]:
    """Count the memories that match."""
    return read_rows("count memories", COUNT(**_filters(selection)), lambda rows: rows[0][0])


def find(limit: int | None, **selection: Unpack[Selection]) -> Request[tuple[str, ...]]:
    """Return the identifiers of the memories that match, last written first."""
    page = {**_filters(selection), "limit": check_limit(limit, "limit"), "offset": 0}
    return _by_time(
        page,
        read_rows("find memories", FIND(**page), lambda rows: tuple(row[0] for row in rows)),
        FIND_RECENT,
    )


def list_(
    order: Order,
    limit: int | None,
    offset: int,
    *,
    descending: bool,
    **selection: Unpack[Selection],
) -> Request[Records[MemorySummary]]:
    """Return one page of the memories that match."""
    if not isinstance(order, str) or order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r:.60}")
    check_limit(limit, "limit")
    page = {
        **_filters(selection),
        "limit": None if limit is None else min(limit + 1, MAX_INTEGER),  # one more: truncated?
        "offset": check_position(offset, "offset"),
    }
    operation = read_rows(
        "list memories",
        LISTS[order, bool(descending)](**page),
        lambda rows: Records(MemorySummary, map(_summary, rows), limit=limit),
    )
    if order != "last":
        return operation
    return _by_time(page, operation, LIST_RECENT if descending else LIST_STALE)


def _by_time[T](page: Mapping[str, Any], operation: Operation[T], query: Query) -> Request[T]:
    """Use the indexes of times for a page of memories by their last write, where that is faster.

    Tables of turns have no such indexes. With another filter, or without a limit, all memories are
    read once, instead of all of their writes.
    """
    if page["limit"] is None or any(page[name] for name in ("prefix", "variables", "meta")):
        return operation
    early = EARLY + EARLY_PER_MEMORY * (page["limit"] + page["offset"])
    given = {**page, "early": min(early, MAX_INTEGER)}
    indexed = replace(
        operation, statements=(query(**{name: given[name] for name in query.parameters}),)
    )
    return ByLine(lambda line: operation if line.has_turns else indexed)


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
    others: Sequence[str] = yield read_rows(
        "list similar memories",
        SIMILAR(identifier=identifier, limit=MAX_COMPARED),
        lambda rows: [row[0] for row in rows],
    )
    return MemoryMissing(f"{message}{similar_names(identifier, others)}")


def _summary(row: Row) -> MemorySummary:
    identifier, created, first, last, *others = row
    first, last = from_epoch_us(first), from_epoch_us(last)
    return MemorySummary(identifier, from_epoch_us(created), first, last, *others)


def _filters(selection: Selection) -> dict[str, object]:
    return {
        "prefix": check_optional(selection.get("prefix"), "prefix"),
        "since": check_timestamp(selection.get("since"), "since"),
        "until": check_timestamp(selection.get("until"), "until"),
        "variables": encode_mapping(selection.get("variables"), "variables"),
        "meta": encode_mapping(selection.get("meta"), "meta"),
    }
