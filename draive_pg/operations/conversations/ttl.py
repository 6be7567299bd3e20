"""Time to live of memories: after it, `prune` removes those that were not written to."""

from datetime import timedelta
from typing import LiteralString

from draive_pg.codec.validation import check_text
from draive_pg.models.conversations import TimeToLive
from draive_pg.models.record import Records
from draive_pg.operations.conversations.relations import lock_memory
from draive_pg.operations.operation import Operation, Query, advisory_lock, read_rows

# PostgreSQL computes no time before 4713 BC.
LONGEST = timedelta(days=1_000_000)

# The time to live of a conversation: its own, else that of the longest prefix; NULL if none.
TTL: LiteralString = """coalesce(
    (
        SELECT ttl FROM {schema}.draive_pg_ttl AS own
        WHERE NOT own.is_prefix AND own.name = conversation.identifier
    ),
    (
        SELECT ttl FROM {schema}.draive_pg_ttl AS prefix
        WHERE prefix.is_prefix AND starts_with(conversation.identifier, prefix.name)
        ORDER BY length(prefix.name) DESC
        LIMIT 1
    )
)"""

SET = Query(
    "memories.ttl.set",
    """
INSERT INTO {schema}.draive_pg_ttl (is_prefix, name, ttl)
VALUES (:is_prefix::BOOLEAN, :name::TEXT, :ttl::INTERVAL)
""",
)

REMOVE = Query(
    "memories.ttl.remove",
    """
DELETE FROM {schema}.draive_pg_ttl WHERE is_prefix = :is_prefix::BOOLEAN AND name = :name::TEXT
""",
)

LIST = Query(
    "memories.ttl.list",
    "SELECT name, is_prefix, ttl FROM {schema}.draive_pg_ttl ORDER BY is_prefix, name",
)


def set_ttl(ttl: timedelta | None, identifier: str | None, prefix: str | None) -> Operation[None]:
    """Set the time to live of a memory, or of a prefix; None removes it."""
    if (identifier is None) == (prefix is None):
        raise ValueError("set_ttl needs either identifier or prefix")
    is_prefix = identifier is None
    name = check_text(prefix if is_prefix else identifier, "prefix" if is_prefix else "identifier")
    statements = [
        advisory_lock(f"memories/ttl/{name}") if is_prefix else lock_memory(name),
        REMOVE(is_prefix=is_prefix, name=name),
    ]
    if ttl is not None:
        if not isinstance(ttl, timedelta):
            raise TypeError(f"ttl must be a timedelta or None, not {type(ttl).__name__}")
        if not timedelta() < ttl <= LONGEST:
            raise ValueError(f"ttl must be positive, and at most a million days, not {ttl!r}")
        statements.append(SET(is_prefix=is_prefix, name=name, ttl=ttl))
    return Operation(name="set a time to live", statements=tuple(statements))


def ttls() -> Operation[Records[TimeToLive]]:
    """Return all times to live: first those of single memories, then those of prefixes."""
    return read_rows(
        "list times to live",
        LIST(),
        lambda rows: Records(TimeToLive, (TimeToLive(*row) for row in rows)),
    )
