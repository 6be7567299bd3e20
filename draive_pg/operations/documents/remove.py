"""Remove revisions of documents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from draive_pg.codec.validation import check_optional
from draive_pg.errors import RevisionLabelled
from draive_pg.operations.documents.kind import DocumentKind, DocumentRevision, per_kind
from draive_pg.operations.documents.preconditions import Expected, met, newest_found, precondition
from draive_pg.operations.documents.read import required
from draive_pg.operations.documents.selectors import (
    SELECTED_CREATED,
    RevisionRef,
    counted,
    selector_of,
)
from draive_pg.operations.operation import Operation, Query, Request, Row

REMOVE = per_kind(
    "remove",
    f"""
WITH selected AS (
    SELECT {SELECTED_CREATED} AS created
),
latest AS (
    SELECT
        max(document.created) AS created,
        {counted(":name::TEXT", "max(document.created)")} AS number
    FROM {{documents}} AS document
    WHERE document.name = :name::TEXT
),
checked AS (
    SELECT
        {met("latest.number", "latest.created")} AS expected,
        latest.*,
        ARRAY(
            SELECT move.label
            FROM {{current_labels}} AS move
            JOIN {{documents}} AS labelled
                ON labelled.name = :name::TEXT AND labelled.created = move.revision
            WHERE move.name = :name::TEXT
                AND NOT :labelled::BOOLEAN
                AND (:whole::BOOLEAN OR move.revision = selected.created)
            ORDER BY move.label
        ) AS labels
    FROM selected, latest
),
removed AS (
    DELETE FROM {{table}}
    WHERE {{key}} = :name::TEXT
        AND (:whole::BOOLEAN OR created = (SELECT created FROM selected))
        AND (SELECT expected AND labels = ARRAY[]::TEXT[] FROM checked)
    RETURNING {{key}}
)
SELECT
    checked.expected,
    checked.labels,
    checked.created,
    checked.number,
    (SELECT count(*) FROM removed)
FROM checked
""",
)

# Settings that end with the transaction; the trigger that records a removal reads them.
NOTE_REMOVAL = Query(
    "documents.note_removal",
    """
SELECT
    set_config('draive_pg.author', coalesce(:author::TEXT, ''), TRUE),
    set_config('draive_pg.message', coalesce(:message::TEXT, ''), TRUE)
""",
)

# Uses only draive's table: the adapters must work without the tables of draive_pg.
REMOVE_ALL = per_kind("remove_all", "DELETE FROM {table} WHERE {key} = :name::TEXT")


def remove[R: DocumentRevision](
    kind: DocumentKind[Any, R],
    reference: object,
    *,
    revision: RevisionRef[R] = None,
    labelled: bool = False,
    author: str | None = None,
    message: str | None = None,
    expected: Expected[R] | datetime = None,
    option: str = "labelled=True (--labelled)",
) -> Request[int]:
    """Remove one or all revisions of a name; return how many were removed.

    Raises
    ------
    RevisionLabelled
        If a label is on one of them, unless ``labelled``; the message recommends ``option``.
    RevisionMissing
        If there are revisions, but not the given one.
    """
    name = kind.name_of(reference)
    action = f"remove {kind.titled(name)}"
    selector = selector_of(kind, revision, name)
    condition = precondition(kind, expected, name)

    def decode(rows: Sequence[Row]) -> int | None:
        holds, labels, created, number, removed = rows[0]
        if not holds:
            raise condition.conflict_error(action, newest_found(number, created))
        if labels:
            raise RevisionLabelled(
                f"{action}: it has the label {', '.join(f'{label!r:.60}' for label in labels)}; "
                f"move or remove the label first, or use {option}"
            )
        return removed if removed or revision is None else None

    write = Operation[int | None](
        name=action,
        statements=(
            kind.lock(name),
            NOTE_REMOVAL(
                author=check_optional(author, "author"),
                message=check_optional(message, "message"),
            ),
            REMOVE[kind](
                name=name,
                whole=revision is None,
                labelled=labelled,
                **selector.parameters(),
                **condition.parameters(),
            ),
        ),
        fallback=kind.fallback,
        decode=decode,
        invalidates=kind.stale(name),
    )
    return required(kind, action, name, selector, write)


def remove_all(kind: DocumentKind[Any, Any], name: str) -> Operation[None]:
    """Remove all revisions of a name, also labelled ones, as draive does."""
    return Operation(
        name=f"remove {kind.titled(name)}",
        statements=(
            kind.lock(name),
            NOTE_REMOVAL(author=None, message=None),
            REMOVE_ALL[kind](name=kind.name_of(name)),
        ),
        invalidates=kind.stale(name),
    )
