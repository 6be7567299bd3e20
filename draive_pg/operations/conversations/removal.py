"""Removing many memories: by their age, by their number, or because they are of a person."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import batched
from typing import Any, LiteralString

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_limit, check_optional, check_texts, check_timestamp
from draive_pg.display.progress import progress
from draive_pg.models import Removal
from draive_pg.operations.conversations.expressions import microseconds
from draive_pg.operations.conversations.listing import LAST
from draive_pg.operations.conversations.write import turns
from draive_pg.operations.operation import Operation, Row, Statement, Steps, workflow

__all__ = ("erase", "prune")

BATCH = 500  # memories removed by one transaction, which holds a lock on each

# Those last written to before a time, and those that so many others were written to after.
DUE: LiteralString = f"""
SELECT
    identifier,
    {microseconds("last")},
    (
        SELECT count(*) FROM {{schema}}.memories_elements AS element
        WHERE element.identifier = ranked.identifier
    ),
    (
        SELECT count(*) FROM {{schema}}.memories_variables AS snapshot
        WHERE snapshot.identifier = ranked.identifier
    )
FROM (
    SELECT identifier, last, row_number() OVER (ORDER BY last DESC, identifier DESC) AS rank
    FROM (
        SELECT memory.identifier, {LAST} AS last
        FROM {{schema}}.memories AS memory
        WHERE $1::TEXT IS NULL OR starts_with(memory.identifier, $1::TEXT)
    ) AS aged
) AS ranked
WHERE isfinite(last)
    AND ($2::TIMESTAMPTZ IS NULL OR last < $2::TIMESTAMPTZ)
    AND ($3::INTERVAL IS NULL OR last < now() - $3::INTERVAL)
    AND ($4::INT8 IS NULL OR rank > $4::INT8)
ORDER BY last, identifier
"""

# What was written to since it was found due stays; the locks are held, so nobody is writing now.
PRUNE: LiteralString = f"""
WITH matching AS (
    SELECT memory.identifier
    FROM unnest($1::TEXT[], $2::INT8[]) AS due (identifier, last)
    JOIN {{schema}}.memories AS memory ON memory.identifier = due.identifier
    WHERE {LAST} <= TIMESTAMPTZ 'epoch' + due.last * INTERVAL '1 microsecond'
)"""

MATCHING: LiteralString = """
SELECT memory.identifier
FROM {schema}.memories AS memory
WHERE ($1::TEXT[] IS NULL OR memory.identifier = ANY ($1::TEXT[]))
    AND ($2::TEXT IS NULL OR starts_with(memory.identifier, $2::TEXT))
    AND ($3::JSONB IS NULL OR EXISTS (
        SELECT FROM {schema}.memories_variables AS snapshot
        WHERE snapshot.identifier = memory.identifier AND snapshot.variables @> $3::JSONB
    ))
    AND ($4::JSONB IS NULL OR EXISTS (
        SELECT FROM {schema}.memories_elements AS element
        WHERE element.identifier = memory.identifier
            AND element.content -> 'meta' @> $4::JSONB
    ))
"""

# So that nobody is writing to them, in the order of `lock_all`. A server has room for some thousand
# locks: who writes to a memory beyond the first thousand may be refused, for want of the memory.
LOCK_MATCHING: LiteralString = f"""
SELECT pg_advisory_xact_lock(key)
FROM (
    SELECT hashtextextended('memories/' || identifier, 0) AS key
    FROM ({MATCHING}) AS matching
    ORDER BY key
    LIMIT 1000
) AS ordered
"""

ERASE: LiteralString = f"WITH matching AS ({MATCHING})"

# What goes with the memories of a list `matching`, and what is there of it.
COUNTED: LiteralString = """
SELECT
    coalesce((SELECT array_agg(identifier ORDER BY identifier) FROM matching), '{}'),
    (
        SELECT count(*) FROM matching
        JOIN {schema}.memories_elements AS element ON element.identifier = matching.identifier
    ),
    (
        SELECT count(*) FROM matching
        JOIN {schema}.memories_variables AS snapshot ON snapshot.identifier = matching.identifier
    )
"""
REMOVED: LiteralString = f""",
removed AS (
    DELETE FROM {{schema}}.memories USING matching
    WHERE memories.identifier = matching.identifier
)
{COUNTED}"""


@workflow
def prune(
    older_than: timedelta | Timestamp | None,
    keep: int | None,
    prefix: str | None,
    *,
    dry_run: bool,
) -> Steps[Removal]:
    """Remove memories by their age or their number, some at a time."""
    due = yield _due(older_than, keep, prefix)
    if dry_run:
        return _removal(
            [([row[0] for row in due], sum(row[2] for row in due), sum(row[3] for row in due))],
            dry_run=True,
        )
    removed: list[Row] = []
    with progress(len(due), "Pruning", " memories") as bar:
        for batch in batched(due, BATCH, strict=False):
            removed.append((yield _pruned(batch)))
            bar.update(len(batch))
    return _removal(removed, dry_run=False)


def erase(
    identifiers: str | Iterable[str] | None,
    prefix: str | None,
    variables: Mapping[str, Any] | None,
    meta: Mapping[str, Any] | None,
    *,
    dry_run: bool,
) -> Operation[Removal]:
    """Remove all memories of a description in one transaction."""
    if identifiers is None and prefix is None and variables is None and meta is None:
        raise ValueError("erase must be told which: identifiers, prefix, variables or meta")
    if prefix == "" or variables == {} or meta == {}:
        raise ValueError("prefix, variables and meta must not be empty: all memories have that")
    described = (
        check_texts(identifiers, "identifier"),
        check_optional(prefix, "prefix"),
        encode_mapping(variables, "variables"),
        encode_mapping(meta, "meta"),
    )
    return Operation(
        name="erase memories",
        statements=(Statement(ERASE + COUNTED, described),)
        if dry_run
        else (Statement(LOCK_MATCHING, described), Statement(ERASE + REMOVED, described)),
        reads=dry_run,
        decode=lambda rows: _removal(rows, dry_run=dry_run),
    )


def _due(
    older_than: timedelta | Timestamp | None, keep: int | None, prefix: str | None
) -> Operation[Sequence[Row]]:
    if older_than is None and keep is None:
        raise ValueError(
            "prune must be told which: those older_than a time, or all but the newest to keep"
        )
    age = older_than if isinstance(older_than, timedelta) else None
    if age is not None and age < timedelta():
        raise ValueError(f"older_than must not be negative, not {age!r}")
    before = None if age is not None else check_timestamp(older_than, "older_than")
    chosen = check_optional(prefix, "prefix")
    return Operation(
        name="prune memories",
        statements=(Statement(DUE, (chosen, before, age, check_limit(keep, "keep"))),),
        reads=True,
        decode=lambda rows: rows,
    )


def _pruned(batch: Sequence[Row]) -> Operation[Row]:
    names = [row[0] for row in batch]
    return Operation(
        name="prune memories",
        statements=(
            turns(names),
            Statement(PRUNE + REMOVED, (names, [row[1] for row in batch])),
        ),
        decode=lambda rows: rows[0],
    )


def _removal(rows: Iterable[Row], *, dry_run: bool) -> Removal:
    identifiers: list[str] = []
    elements = variables = 0
    for names, more_elements, more_variables in rows:
        identifiers += names
        elements += more_elements
        variables += more_variables
    return Removal(len(identifiers), elements, variables, dry_run, tuple(identifiers))
