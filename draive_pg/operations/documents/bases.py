"""Bases: the revisions that a push or a pull made equal to the files of a folder.

They are kept in the database, so that each database knows what it has in common with a folder.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple

from draive_pg.codec.json import parse
from draive_pg.operations.documents.kind import (
    END,
    FIRST,
    DocumentKind,
    per_kind,
)
from draive_pg.operations.documents.read import EVERY_NAME, unreadable_revision
from draive_pg.operations.documents.selectors import digest, unchanged
from draive_pg.operations.operation import Fallback, Operation, Query, Row, read_rows, warn_skipped

TABLE: LiteralString = "draive_pg_folder_bases"

EMPTY: LiteralString = """(
    SELECT
        '' AS documents,
        '' AS name,
        0::INT8 AS number,
        now() AS revision,
        '' AS digest,
        '' AS stored,
        '{}'::JSONB AS labels
    WHERE FALSE
)"""

# Two loose index scans: of the documents, and of the names that have a base.
CURRENT = per_kind(
    "bases.current",
    EVERY_NAME
    + f""",
based AS (
    (
        SELECT first.name
        FROM {{schema}}.{TABLE} AS first
        WHERE first.documents = :documents::TEXT
        ORDER BY first.name
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT next.name
        FROM {{schema}}.{TABLE} AS next
        WHERE next.documents = :documents::TEXT AND next.name > based.name
        ORDER BY next.name
        LIMIT 1
    )
    FROM based
    WHERE based.name IS NOT NULL
)
SELECT
    every.name,
    newest.created,
    coalesce(base.revision = newest.created AND base.stored = {digest("newest")}, FALSE),
    base.revision,
    base.digest,
    base.labels::TEXT,
    base.number IS NOT NULL,
    unreadable.created::TEXT
FROM (SELECT name FROM names UNION SELECT name FROM based) AS every
LEFT JOIN LATERAL (
    SELECT revision.*
    FROM {{documents}} AS revision
    WHERE revision.name = every.name
    ORDER BY revision.created DESC
    LIMIT 1
) AS newest ON TRUE
LEFT JOIN LATERAL (
    SELECT stored.*
    FROM {{schema}}.{TABLE} AS stored
    WHERE stored.documents = :documents::TEXT AND stored.name = every.name
    ORDER BY stored.number DESC
    LIMIT 1
) AS base ON TRUE
LEFT JOIN LATERAL (
    (
        SELECT late.created
        FROM {{every}} AS late
        WHERE late.name = every.name AND late.created >= {END}
    )
    UNION ALL
    (
        SELECT early.created
        FROM {{every}} AS early
        WHERE early.name = every.name AND early.created < {FIRST}
    )
    LIMIT 1
) AS unreadable ON TRUE
WHERE newest.created IS NOT NULL
    OR base.digest IS NOT NULL
    OR unreadable.created IS NOT NULL
ORDER BY every.name
""",
)

# The given bases of version 0.1.0 are the oldest, if the database has or had their revisions.
EARLIER = per_kind(
    "bases.earlier",
    f"""
SELECT earlier.name, earlier.revision, earlier.digest, earlier.labels
FROM (
    SELECT base.name, base.number, base.revision, base.digest, base.labels::TEXT AS labels
    FROM {{schema}}.{TABLE} AS base
    WHERE base.documents = :documents::TEXT AND base.name = ANY (:names::TEXT[])
    UNION ALL
    SELECT given.name, 0, given.created, given.digest, given.labels
    FROM unnest(
        :given_names::TEXT[],
        :given_times::TIMESTAMPTZ[],
        :given_digests::TEXT[],
        :given_labels::TEXT[]
    ) AS given (name, created, digest, labels)
    WHERE EXISTS (
        SELECT FROM {{revisions}} AS revision
        WHERE revision.name = given.name AND revision.created = given.created
    )
) AS earlier
ORDER BY earlier.name, earlier.number DESC
""",
)

# The columns are those of `DocumentKind.decode`.
CONTENTS = per_kind(
    "bases.contents",
    """
SELECT
    document.name,
    0 AS revision,
    document.created,
    document.content::TEXT AS content,
    document.description,
    document.arguments::TEXT AS arguments,
    document.meta::TEXT AS meta,
    NULL::TEXT AS author,
    NULL::TEXT AS message,
    ARRAY[]::TEXT[] AS labels,
    TRUE AS current
FROM unnest(:names::TEXT[], :times::TIMESTAMPTZ[]) AS wanted (name, created)
JOIN {every} AS document
    ON document.name = wanted.name AND document.created = wanted.created
""",
)

LABELLED = per_kind(
    "bases.labelled",
    f"""
SELECT move.name, move.label, move.revision
FROM {{current_labels}} AS move
JOIN {{documents}} AS document
    ON document.name = move.name AND document.created = move.revision
WHERE {unchanged("document", "move")}
ORDER BY move.name, move.label
""",
)

# Another push may have superseded a revision meanwhile, and recorded its own.
RECORD = per_kind(
    "bases.record",
    f"""
INSERT INTO {{schema}}.{TABLE} (documents, name, revision, digest, stored, labels)
SELECT
    :documents::TEXT,
    new.name,
    document.created,
    CASE WHEN document.created IS NOT NULL THEN new.digest END,
    {digest("document")},
    new.labels::JSONB
FROM unnest(:names::TEXT[], :times::TIMESTAMPTZ[], :digests::TEXT[], :labels::TEXT[])
    AS new (name, created, digest, labels)
LEFT JOIN {{every}} AS document
    ON document.name = new.name AND document.created = new.created
WHERE (document.created IS NOT NULL) = (new.created IS NOT NULL)
    AND NOT EXISTS (
        SELECT FROM {{schema}}.{TABLE} AS base
        JOIN {{documents}} AS later ON later.name = base.name AND later.created = base.revision
        WHERE base.documents = :documents::TEXT
            AND base.name = new.name
            AND base.revision > new.created
    )
ORDER BY new.name
""",
)

# The row type finds the table in the search path, too.
MAY_RECORD = Query(
    "bases.may_record",
    f"""
SELECT
    has_table_privilege(oid, 'INSERT')
    AND current_setting('transaction_read_only') = 'off' -- on for a standby
FROM pg_class
WHERE reltype = pg_typeof(NULL::{{schema}}.{TABLE})::OID
""",
)


class Base(NamedTuple):
    """What folder and database had in common; without a digest, that there was no document.

    Attributes
    ----------
    name : str
        The name of the document.
    revision : datetime | None
        The time of its revision.
    digest : str | None
        The digest of its file.
    labels : Mapping[str, str] | None
        The digest of the revision that each label was on, empty for this one; None if labels were
        not compared.
    """

    name: str
    revision: datetime | None
    digest: str | None
    labels: Mapping[str, str] | None


class CurrentDocument(NamedTuple):
    """A document in the database.

    Attributes
    ----------
    name : str
        Its name.
    created : datetime | None
        The time of its newest revision; None if it was removed.
    is_base : bool
        Whether the newest revision is the newest base, unchanged.
    base : Base | None
        The newest base.
    """

    name: str
    created: datetime | None
    is_base: bool
    base: Base | None


def current(kind: DocumentKind[Any, Any]) -> Operation[list[CurrentDocument]]:
    """Read the newest revision and the newest base of each name, without contents.

    The result warns of revisions whose time Python cannot represent.
    """

    def decode(rows: Sequence[Row]) -> list[CurrentDocument]:
        warn_skipped(
            unreadable_revision(kind, row[0], row[-1]) for row in rows if row[-1] is not None
        )
        return [
            CurrentDocument(
                name, _utc(created), is_base, _base((name, *base)) if has_base else None
            )
            for name, created, is_base, *base, has_base, _ in rows
            if created is not None or has_base
        ]

    return read_rows(
        f"compare {kind.table}",
        CURRENT[kind](documents=kind.table),
        decode,
        fallback=Fallback({**kind.fallback.empty, TABLE: EMPTY}),
    )


def earlier(
    kind: DocumentKind[Any, Any], names: Iterable[str], given: Sequence[Base]
) -> Operation[list[Base]]:
    """Read all bases of some names, the newest first; then the given ones that are possible."""
    return read_rows(
        f"read the bases of {kind.table}",
        EARLIER[kind](
            documents=kind.table,
            names=list(names),
            **{f"given_{column}": values for column, values in _columns(given).items()},
        ),
        lambda rows: list(map(_base, rows)),
        fallback=kind.fallback | Fallback({TABLE: EMPTY}),
    )


def contents(
    kind: DocumentKind[Any, Any], revisions: Iterable[tuple[str, datetime]]
) -> Operation[Sequence[Row]]:
    """Read revisions by name and time, as rows for `DocumentKind.decode` without numbers."""
    return read_rows(f"read {kind.table}", CONTENTS[kind](**_arrays(revisions)), list)


def labelled(kind: DocumentKind[Any, Any]) -> Operation[list[tuple[str, str, datetime]]]:
    """Read the name, the label and the revision of each label."""
    return read_rows(
        f"read the labels of {kind.table}",
        LABELLED[kind](),
        lambda rows: [(name, label, time.astimezone(UTC)) for name, label, time in rows],
        fallback=kind.fallback,
    )


def record(kind: DocumentKind[Any, Any], new: Sequence[Base]) -> Operation[None]:
    """Record new bases."""
    return Operation(
        name=f"record the bases of {kind.table}",
        statements=(RECORD[kind](documents=kind.table, **_columns(new)),),
    )


def may_record() -> Operation[bool]:
    """Return whether the table of bases exists, and can be written to."""
    return read_rows(
        "look for the table of bases",
        MAY_RECORD(),
        lambda rows: bool(rows and rows[0][0]),
        fallback=Fallback({TABLE: "TEXT"}),  # a type that is not a table's
    )


def _arrays(revisions: Iterable[tuple[str, datetime | None]]) -> dict[str, object]:
    pairs = list(revisions)
    return {"names": [name for name, _ in pairs], "times": [time for _, time in pairs]}


def _columns(new: Sequence[Base]) -> dict[str, object]:
    return {
        **_arrays((each.name, each.revision) for each in new),
        "digests": [each.digest for each in new],
        "labels": [None if each.labels is None else json.dumps(dict(each.labels)) for each in new],
    }


def _base(row: Row) -> Base:
    name, revision, digest, labels = row
    return Base(
        name,
        _utc(revision),
        digest,
        None if labels is None else parse(labels, f"the labels of a base of {name!r:.80}"),
    )


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
