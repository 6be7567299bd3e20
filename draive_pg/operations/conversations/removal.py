"""Remove many memories: by age or number (prune), or those of a person (erase)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import batched
from typing import Any, LiteralString

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_limit, check_optional, check_texts, check_timestamp
from draive_pg.display.progress import progress
from draive_pg.models.conversations import Removal
from draive_pg.operations.conversations.expressions import epoch_us
from draive_pg.operations.conversations.listing import last_written
from draive_pg.operations.conversations.store import (
    MEMORIES,
    ElementStore,
    StoreQuery,
    lock_conversations,
)
from draive_pg.operations.operation import Operation, Row, Steps, Workflow

BATCH = 500  # memories removed in one transaction, which holds a lock on each

# Memories that were last written before a time, or are not among the newest `:keep`.
DUE = StoreQuery(
    "prune.find",
    lambda store: (
        f"""
SELECT
    identifier,
    {epoch_us("last")},
    (
        SELECT count(*) FROM {store.elements} AS element
        WHERE element.identifier = ranked.identifier
    ),
    (
        SELECT count(*) FROM {store.variables} AS snapshot
        WHERE snapshot.identifier = ranked.identifier
    )
FROM (
    SELECT identifier, last, row_number() OVER (ORDER BY last DESC, identifier DESC) AS rank
    FROM (
        SELECT conversation.identifier, {last_written(store)} AS last
        FROM {store.conversations} AS conversation
        WHERE :prefix::TEXT IS NULL OR starts_with(conversation.identifier, :prefix::TEXT)
    ) AS aged
) AS ranked
WHERE isfinite(last)
    AND (:before::TIMESTAMPTZ IS NULL OR last < :before::TIMESTAMPTZ)
    AND (:age::INTERVAL IS NULL OR last < now() - :age::INTERVAL)
    AND (:keep::INT8 IS NULL OR rank > :keep::INT8)
ORDER BY last, identifier
"""
    ),
)


def _matching(store: ElementStore) -> LiteralString:
    return f"""
    SELECT conversation.identifier
    FROM {store.conversations} AS conversation
    WHERE (:identifiers::TEXT[] IS NULL OR conversation.identifier = ANY (:identifiers::TEXT[]))
        AND (:prefix::TEXT IS NULL OR starts_with(conversation.identifier, :prefix::TEXT))
        AND (:variables::JSONB IS NULL OR EXISTS (
            SELECT FROM {store.variables} AS snapshot
            WHERE snapshot.identifier = conversation.identifier
                AND snapshot.variables @> :variables::JSONB
        ))
        AND (:meta::JSONB IS NULL OR EXISTS (
            SELECT FROM {store.elements} AS element
            WHERE element.identifier = conversation.identifier
                AND element.content -> 'meta' @> :meta::JSONB
        ))
"""


def _count(store: ElementStore) -> LiteralString:
    return f"""
SELECT
    coalesce((SELECT array_agg(identifier ORDER BY identifier) FROM matching), '{{}}'),
    (
        SELECT count(*) FROM matching
        JOIN {store.elements} AS element ON element.identifier = matching.identifier
    ),
    (
        SELECT count(*) FROM matching
        JOIN {store.variables} AS snapshot ON snapshot.identifier = matching.identifier
    )
"""


def _remove(store: ElementStore) -> LiteralString:
    return f"""removed AS (
    {store.delete_conversations} USING matching
    WHERE conversation.identifier = matching.identifier
)
{_count(store)}"""


# The caller holds the locks. Memories that were written to after `DUE` ran are kept.
PRUNE = StoreQuery(
    "prune",
    lambda store: (
        f"""
WITH matching AS (
    SELECT conversation.identifier
    FROM unnest(:identifiers::TEXT[], :last::INT8[]) AS due (identifier, last)
    JOIN {store.conversations} AS conversation ON conversation.identifier = due.identifier
    WHERE {last_written(store)} <= TIMESTAMPTZ 'epoch' + due.last * INTERVAL '1 microsecond'
),
{_remove(store)}"""
    ),
)

# Only the first 1,000 are locked, in the order of `advisory_locks`: max_locks_per_transaction
# limits their number. A concurrent writer to another memory may get a foreign key error.
LOCK_MATCHING = StoreQuery(
    "erase.lock",
    lambda store: (
        f"""
SELECT pg_advisory_xact_lock(key)
FROM (
    SELECT hashtextextended('{store.name}/' || identifier, 0) AS key
    FROM ({_matching(store)}) AS matching
    ORDER BY key
    LIMIT 1000
) AS ordered
"""
    ),
)

ERASE_DRY_RUN = StoreQuery(
    "erase.dry_run", lambda store: f"WITH matching AS ({_matching(store)}){_count(store)}"
)

ERASE = StoreQuery(
    "erase", lambda store: f"WITH matching AS ({_matching(store)}),\n{_remove(store)}"
)


def prune(
    older_than: timedelta | Timestamp | None,
    keep: int | None,
    prefix: str | None,
    *,
    dry_run: bool,
    store: ElementStore = MEMORIES,
) -> Workflow[Removal]:
    """Remove memories by age or number, one batch per transaction."""
    if older_than is None and keep is None:
        raise ValueError("prune needs older_than or keep")
    age = older_than if isinstance(older_than, timedelta) else None
    if age is not None and age < timedelta():
        raise ValueError(f"older_than must not be negative, not {age!r}")
    find = DUE(
        store,
        prefix=check_optional(prefix, "prefix"),
        before=None if age is not None else check_timestamp(older_than, "older_than"),
        age=age,
        keep=check_limit(keep, "keep"),
    )
    due = Operation[Sequence[Row]](
        name="prune memories", statements=(find,), read_only=True, decode=lambda rows: rows
    )
    return Workflow(_prune(store, due, dry_run=dry_run))


def _prune(store: ElementStore, find: Operation[Sequence[Row]], *, dry_run: bool) -> Steps[Removal]:
    due = yield find
    if dry_run:
        return _removal(
            [([row[0] for row in due], sum(row[2] for row in due), sum(row[3] for row in due))],
            dry_run=True,
        )
    removed: list[Row] = []
    with progress(len(due), "Pruning", " memories") as bar:
        for batch in batched(due, BATCH, strict=False):
            identifiers = [row[0] for row in batch]
            last = [row[1] for row in batch]
            operation = Operation[Row](
                name="prune memories",
                statements=(
                    lock_conversations(store, identifiers),
                    PRUNE(store, identifiers=identifiers, last=last),
                ),
                decode=lambda rows: rows[0],
            )
            removed.append((yield operation))
            bar.update(len(batch))
    return _removal(removed, dry_run=False)


def erase(
    identifiers: str | Iterable[str] | None,
    prefix: str | None,
    variables: Mapping[str, Any] | None,
    meta: Mapping[str, Any] | None,
    *,
    dry_run: bool,
    store: ElementStore = MEMORIES,
) -> Operation[Removal]:
    """Remove all matching memories in one transaction."""
    if identifiers is None and prefix is None and variables is None and meta is None:
        raise ValueError("erase needs identifiers, prefix, variables or meta")
    if prefix == "" or variables == {} or meta == {}:
        raise ValueError("prefix, variables and meta must not be empty: all memories match")
    filters: dict[str, object] = {
        "identifiers": check_texts(identifiers, "identifier"),
        "prefix": check_optional(prefix, "prefix"),
        "variables": encode_mapping(variables, "variables"),
        "meta": encode_mapping(meta, "meta"),
    }
    return Operation(
        name="erase memories",
        statements=(ERASE_DRY_RUN(store, **filters),)
        if dry_run
        else (LOCK_MATCHING(store, **filters), ERASE(store, **filters)),
        read_only=dry_run,
        decode=lambda rows: _removal(rows, dry_run=dry_run),
    )


def _removal(rows: Iterable[Row], *, dry_run: bool) -> Removal:
    identifiers: list[str] = []
    elements = variables = 0
    for names, more_elements, more_variables in rows:
        identifiers += names
        elements += more_elements
        variables += more_variables
    return Removal(len(identifiers), elements, variables, dry_run, tuple(identifiers))
