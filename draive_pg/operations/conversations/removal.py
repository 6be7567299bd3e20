"""Remove many memories: by age, number or time to live (prune), or those of a person (erase)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import batched
from typing import Any, LiteralString

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.validation import check_limit, check_optional, check_texts
from draive_pg.display.progress import progress
from draive_pg.models.conversations import Removal
from draive_pg.operations.conversations.annotations import NOT_WRITTEN
from draive_pg.operations.conversations.expressions import epoch_us
from draive_pg.operations.conversations.listing import LAST_WRITTEN
from draive_pg.operations.conversations.relations import (
    CONVERSATIONS,
    ELEMENTS,
    LOCATED,
    META,
    REMOVE_CONVERSATIONS,
    SNAPSHOTS,
    lock_for_removal,
    lock_key,
)
from draive_pg.operations.conversations.ttl import TTL
from draive_pg.operations.operation import (
    Fallback,
    Operation,
    Query,
    Row,
    Steps,
    read_rows,
    transactional,
    workflow,
)

BATCH = 500  # memories removed in one transaction, which holds a lock on each


# Memories that were last written before a time, have outlived their time to live, or are not among
# the newest `:keep`.
def _prunable(condition: LiteralString = "") -> LiteralString:
    return f"""
SELECT
    identifier,
    {epoch_us("last")}
FROM (
    SELECT identifier, last, row_number() OVER (ORDER BY last DESC, identifier DESC) AS rank
    FROM (
        SELECT conversation.identifier, {LAST_WRITTEN} AS last
        FROM {CONVERSATIONS} AS conversation
        WHERE :prefix::TEXT IS NULL OR starts_with(conversation.identifier, :prefix::TEXT)
    ) AS aged
) AS conversation
WHERE isfinite(last)
    AND (:before::TIMESTAMPTZ IS NULL OR last < :before::TIMESTAMPTZ)
    AND (:age::INTERVAL IS NULL OR last < now() - :age::INTERVAL)
    AND (:keep::INT8 IS NULL OR rank > :keep::INT8){condition}
ORDER BY last, identifier
"""


PRUNABLE = Query("memories.prune.find", _prunable())
PRUNABLE_EXPIRED = Query(
    "memories.prune.find_expired", _prunable(f"\n    AND last < now() - {TTL}")
)


def _matching(identifiers: LiteralString = ":identifiers::TEXT[]") -> LiteralString:
    return f"""
    SELECT conversation.identifier
    FROM {CONVERSATIONS} AS conversation
    WHERE (:identifiers::TEXT[] IS NULL OR conversation.identifier = ANY ({identifiers}))
        AND (:prefix::TEXT IS NULL OR starts_with(conversation.identifier, :prefix::TEXT))
        AND (:variables::JSONB IS NULL OR EXISTS (
            SELECT FROM {SNAPSHOTS} AS snapshot
            WHERE snapshot.identifier = conversation.identifier
                AND snapshot.variables @> :variables::JSONB
        ))
        AND (:meta::JSONB IS NULL OR EXISTS (
            SELECT FROM {META} AS element
            WHERE element.identifier = conversation.identifier
                AND element.meta @> :meta::JSONB
        ))
"""


MATCHING = _matching()

COUNT_MATCHING: LiteralString = f"""
SELECT
    coalesce((SELECT array_agg(identifier ORDER BY identifier) FROM matching), '{{}}')
        AS identifiers,
    (
        SELECT count(*) FROM matching
        JOIN {ELEMENTS} AS element ON element.identifier = matching.identifier
    ) AS elements,
    (
        SELECT count(*) FROM matching
        JOIN {SNAPSHOTS} AS snapshot ON snapshot.identifier = matching.identifier
    ) AS variables
"""

# Counted before: Citus runs one common table expression after the other.
REMOVE_MATCHING: LiteralString = f"""counted AS MATERIALIZED ({COUNT_MATCHING}),
removed AS (SELECT identifier FROM matching),
{REMOVE_CONVERSATIONS}
SELECT * FROM counted
"""

# The caller holds the locks. Memories that were written to after `PRUNABLE` ran are kept, and those
# whose time to live was extended.
DUE: LiteralString = f"""
    SELECT conversation.identifier
    FROM unnest(:identifiers::TEXT[], :last::INT8[]) AS due (identifier, last)
    JOIN {CONVERSATIONS} AS conversation ON conversation.identifier = due.identifier
    WHERE {LAST_WRITTEN} <= TIMESTAMPTZ 'epoch' + due.last * INTERVAL '1 microsecond'
"""
DUE_EXPIRED: LiteralString = f"{DUE}        AND {LAST_WRITTEN} < now() - {TTL}\n"

PRUNE = Query("memories.prune", f"WITH matching AS ({DUE}),\n{REMOVE_MATCHING}")

PRUNE_EXPIRED = Query(
    "memories.prune.expired", f"WITH matching AS ({DUE_EXPIRED}),\n{REMOVE_MATCHING}"
)

PRUNE_DRY_RUN = Query(
    "memories.prune.dry_run",
    f"""
WITH matching AS (SELECT unnest(:identifiers::TEXT[]) AS identifier)
{COUNT_MATCHING}""",
)

PRUNE_TTL = Query(
    "memories.prune.ttl",
    """
DELETE FROM {schema}.draive_pg_ttl WHERE NOT is_prefix AND name = ANY (:identifiers::TEXT[])
""",
)

PRUNE_ANNOTATIONS = Query(
    "memories.prune.annotations",
    "DELETE FROM {schema}.draive_pg_annotations WHERE identifier = ANY (:identifiers::TEXT[])",
)

# Only the first 1,000 are locked, in the order of `advisory_locks`: max_locks_per_transaction
# limits their number. A concurrent writer to another memory may get a foreign key error.
LOCK_MATCHING = Query(
    "memories.erase.lock",
    f"""
WITH matching AS MATERIALIZED (
    SELECT identifier, {lock_key("identifier")} AS key
    FROM ({MATCHING}) AS matching
    ORDER BY key
    LIMIT 1000
)
SELECT count(pg_advisory_xact_lock(key)) FROM (SELECT key FROM matching ORDER BY key) AS ordered
UNION ALL
SELECT count(pg_advisory_xact_lock(key))
FROM (
    SELECT {lock_key("identifier")} AS key
    FROM {LOCATED} AS conversation
    WHERE identifier IN (SELECT identifier FROM matching)
    ORDER BY key
) AS ordered
""",
)

NOT_KEPT = NOT_WRITTEN | Fallback(
    dict.fromkeys(("draive_pg_removed_elements", "draive_pg_keys", "draive_pg_ttl"), "")
)

ERASE_DRY_RUN = Query("memories.erase.dry_run", f"WITH matching AS ({MATCHING}){COUNT_MATCHING}")


def _erase_rest(
    table: LiteralString,
    meta: LiteralString = "FALSE",
    *,
    name: LiteralString = "identifier",
    matching: LiteralString = MATCHING,
) -> LiteralString:
    """Return the SQL that removes rows of matching memories, also of those removed before."""
    return f"""
WITH matching AS MATERIALIZED ({matching})
DELETE FROM {{schema}}.{table} AS kept
WHERE (
    kept.{name} IN (SELECT identifier FROM matching)
    OR (
        (:identifiers::TEXT[] IS NULL OR kept.{name} = ANY (:identifiers::TEXT[]))
        AND (:prefix::TEXT IS NULL OR starts_with(kept.{name}, :prefix::TEXT))
        AND :variables::JSONB IS NULL
        AND (:meta::JSONB IS NULL OR {meta})
    )
)
"""


ERASE_ELEMENTS = Query(
    "memories.erase.elements",
    _erase_rest("draive_pg_removed_elements", "kept.content -> 'meta' @> :meta::JSONB"),
)

ERASE_KEYS = Query("memories.erase.keys", _erase_rest("draive_pg_keys"))

# The rule of a prefix is no data of a person, and holds for the memories to come. Citus cannot run
# it where one memory is stored, as it is replicated: by a subquery, it reads the memories before.
ERASE_TTL = Query(
    "memories.erase.ttl",
    _erase_rest(
        "draive_pg_ttl", name="name", matching=_matching("(SELECT :identifiers::TEXT[])::TEXT[]")
    )
    + "AND NOT kept.is_prefix\n",
)

ERASE_ANNOTATIONS = Query("memories.erase.annotations", _erase_rest("draive_pg_annotations"))

ERASE = Query("memories.erase", f"WITH matching AS ({MATCHING}),\n{REMOVE_MATCHING}")


@workflow
def prune(
    older_than: timedelta | Timestamp | None,
    keep: int | None,
    prefix: str | None,
    *,
    expired: bool = False,
    dry_run: bool,
) -> Steps[Removal]:
    """Remove memories by age, number or time to live, one batch per transaction."""
    if older_than is None and keep is None and not expired:
        raise ValueError("prune needs older_than or keep, or expired=True")
    age = older_than if isinstance(older_than, timedelta) else None
    if age is not None and age < timedelta():
        raise ValueError(f"older_than must not be negative, not {age!r}")
    find = (PRUNABLE_EXPIRED if expired else PRUNABLE)(
        prefix=check_optional(prefix, "prefix"),
        before=None if age is not None else check_timestamp(older_than, "older_than"),
        age=age,
        keep=check_limit(keep, "keep"),
    )
    due = yield read_rows("prune memories", find, list)
    if dry_run:
        identifiers = [row[0] for row in due]
        ((_, elements, variables),) = yield read_rows(
            "prune memories", PRUNE_DRY_RUN(identifiers=identifiers), list
        )
        return _removal([(identifiers, elements, variables)], dry_run=True)
    removed: list[Row] = []
    with progress(len(due), "Pruning", " memories") as bar:
        for batch in batched(due, BATCH, strict=False):
            removed.append((yield _prune_batch(batch, PRUNE_EXPIRED if expired else PRUNE)))
            bar.update(len(batch))
    return _removal(removed, dry_run=False)


@transactional
def _prune_batch(batch: Sequence[Row], query: Query) -> Steps[Row]:
    """Remove those of the found memories that are still due, with what belongs to them."""
    identifiers = [row[0] for row in batch]
    yield from lock_for_removal("prune memories", identifiers)
    removed: Row = yield Operation(
        name="prune memories",
        statements=(query(identifiers=identifiers, last=[row[1] for row in batch]),),
        decode=lambda rows: rows[0],
    )
    # After it, as draive, which takes no locks, may have written to the others until then.
    yield Operation(
        name="prune memories",
        statements=tuple(each(identifiers=removed[0]) for each in (PRUNE_TTL, PRUNE_ANNOTATIONS)),
        fallback=NOT_KEPT,
    )
    return removed


def erase(
    identifiers: str | Iterable[str] | None,
    prefix: str | None,
    variables: Mapping[str, Any] | None,
    meta: Mapping[str, Any] | None,
    *,
    dry_run: bool,
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
    decode = partial(_removal, dry_run=dry_run)
    if dry_run:
        return read_rows("erase memories", ERASE_DRY_RUN(**filters), decode)
    return Operation(
        name="erase memories",
        statements=(
            LOCK_MATCHING(**filters),
            ERASE_ELEMENTS(**filters),
            ERASE_KEYS(**filters),
            ERASE_TTL(**filters),
            ERASE_ANNOTATIONS(**filters),
            ERASE(**filters),
        ),
        fallback=NOT_KEPT,
        decode=decode,
    )


def _removal(rows: Iterable[Row], *, dry_run: bool) -> Removal:
    identifiers: list[str] = []
    elements = variables = 0
    for names, more_elements, more_variables in rows:
        identifiers += names
        elements += more_elements
        variables += more_variables
    return Removal(len(identifiers), elements, variables, dry_run, tuple(identifiers))
