"""Labels of documents: movable names of revisions, such as ``production``."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, LiteralString

from draive_pg.codec.validation import check_optional
from draive_pg.errors import RevisionConflict
from draive_pg.instruction_syntax import report_malformed
from draive_pg.models.documents import LabelMove
from draive_pg.models.record import Records
from draive_pg.operations.documents.kind import DocumentKind, DocumentRevision, per_kind
from draive_pg.operations.documents.preconditions import (
    Expected,
    Precondition,
    met,
    precondition,
)
from draive_pg.operations.documents.read import required
from draive_pg.operations.documents.selectors import (
    LATEST,
    SELECTED_CREATED,
    check_label,
    counted,
    digest,
    selector_of,
    unchanged,
)
from draive_pg.operations.operation import (
    Operation,
    Request,
    Row,
    Steps,
    Workflow,
    next_time,
    read_rows,
    transactional,
)

# The columns that `_decode` reads; the number is NULL if the revision was removed.
MOVE_COLUMNS: LiteralString = f"""
    move.name,
    move.label,
    CASE WHEN EXISTS (
        SELECT FROM {{documents}} AS labelled
        WHERE labelled.name = :name::TEXT AND labelled.created = move.revision
    ) THEN {counted(":name::TEXT", "move.revision")} END AS number,
    move.revision,
    move.moved,
    move.author,
    move.message
"""

ONE_NAME: LiteralString = "move.name = :name::TEXT"

CURRENT: LiteralString = f"""
SELECT
    move.name,
    move.label,
    {counted("move.name", "move.revision")},
    move.revision,
    move.moved,
    move.author,
    move.message
FROM {{current_labels}} AS move
JOIN {{documents}} AS document
    ON document.name = move.name AND document.created = move.revision
WHERE {unchanged("document", "move")} AND {{wanted}}
ORDER BY move.name, move.label
"""

# Two queries, because a generic plan of one for both would read all names.
LABELS = per_kind("labels", CURRENT.replace("{wanted}", "TRUE"))
LABELS_OF = per_kind("labels_of", CURRENT.replace("{wanted}", ONE_NAME))

MOVES: LiteralString = """
SELECT
    move.name,
    move.label,
    numbered.revision,
    move.revision,
    move.moved,
    move.author,
    move.message
FROM {moves} AS move
LEFT JOIN (
    {numbered}
    WHERE kept AND {numbered_name}
) AS numbered ON numbered.name = move.name AND numbered.created = move.revision
WHERE {wanted} AND (:label::TEXT IS NULL OR move.label = :label::TEXT)
ORDER BY move.moved DESC, move.name, move.label
"""

HISTORY = per_kind(
    "label_history", MOVES.replace("{numbered_name}", "TRUE").replace("{wanted}", "TRUE")
)
HISTORY_OF = per_kind(
    "label_history_of",
    MOVES.replace("{numbered_name}", "name = :name::TEXT").replace("{wanted}", ONE_NAME),
)

NEWEST: LiteralString = f"""
newest AS (
    SELECT {MOVE_COLUMNS}, to_jsonb(move) ->> 'digest' AS digest
    FROM {{moves}} AS move
    WHERE move.name = :name::TEXT AND move.label = :label::TEXT
    ORDER BY move.moved DESC
    LIMIT 1
)"""

EXPECTED = met("coalesce(newest.number, 0)", "newest.revision")

# The caller holds the lock, so `moved` is later than all earlier moves.
MOVE = per_kind(
    "label",
    f"""
WITH {NEWEST},
checked AS (
    SELECT
        document.created,
        {digest("document")} AS digest,
        {{fillable}} AS fillable,
        {EXPECTED} AS expected,
        newest.revision IS DISTINCT FROM document.created
            OR newest.digest <> {digest("document")} AS changed,
        {next_time("newest.moved")} AS moved
    FROM {{documents}} AS document
    LEFT JOIN newest ON TRUE
    WHERE document.name = :name::TEXT AND document.created = {SELECTED_CREATED}
),
written AS (
    INSERT INTO {{labels}} (name, label, revision, moved, author, message, digest)
    SELECT :name::TEXT, :label::TEXT, created, moved, :author::TEXT, :message::TEXT, digest
    FROM checked
    WHERE expected AND changed
    RETURNING name, label, revision, moved, author, message
)
SELECT
    checked.expected,
    CASE WHEN checked.changed THEN checked.fillable END,
    checked.changed IS TRUE,
    move.*
FROM checked
LEFT JOIN (
    SELECT {MOVE_COLUMNS} FROM written AS move
    UNION ALL
    SELECT name, label, number, revision, moved, author, message
    FROM newest
    WHERE NOT EXISTS (SELECT FROM written)
) AS move ON TRUE
""",
)

REMOVE = per_kind(
    "unlabel",
    f"""
WITH {NEWEST},
checked AS (
    SELECT newest.*, {EXPECTED} AS expected
    FROM (VALUES (TRUE)) AS always
    LEFT JOIN newest ON TRUE
),
removed AS (
    INSERT INTO {{labels}} (name, label, moved, author, message)
    SELECT
        :name::TEXT,
        :label::TEXT,
        {next_time("moved")},
        :author::TEXT,
        :message::TEXT
    FROM checked
    WHERE expected AND revision IS NOT NULL
    RETURNING label
)
SELECT expected, EXISTS (SELECT FROM removed), number, moved FROM checked
""",
)


def labels(kind: DocumentKind[Any, Any], reference: object) -> Operation[Records[LabelMove]]:
    """List the labels of a name, or of all names for None, that are on a revision."""
    name = None if reference is None else kind.name_of(reference)
    return read_rows(
        "list labels" if name is None else f"list the labels of {kind.titled(name)}",
        LABELS[kind]() if name is None else LABELS_OF[kind](name=name),
        _decode_all,
    )


def history(
    kind: DocumentKind[Any, Any], reference: object, label: str | None
) -> Operation[Records[LabelMove]]:
    """Read the moves of labels of a name, or of all for None, the newest first."""
    name = None if reference is None else kind.name_of(reference)
    label = check_optional(label, "label")
    if name is None:
        of, statement = kind.table, HISTORY[kind](label=label)
    else:
        of, statement = kind.titled(name), HISTORY_OF[kind](name=name, label=label)
    return read_rows(f"read the label history of {of}", statement, _decode_all)


def move[R: DocumentRevision](
    kind: DocumentKind[Any, R],
    reference: object,
    label: str,
    revision: object,
    *,
    author: str | None,
    message: str | None,
    expected: Expected[R] | datetime,
    strict: bool | None = False,
) -> Workflow[LabelMove]:
    """Move a label to a revision, unless it is there; return its newest move.

    A prompt that cannot be filled is reported, unless ``strict`` is None; with ``strict``, nothing
    is moved.
    """
    name = kind.name_of(reference)
    action = f"label {kind.titled(name)}"
    selector, condition = selector_of(kind, revision, name), precondition(kind, expected, name)

    def decode(rows: Sequence[Row]) -> LabelMove | None:
        if not rows:
            return None
        holds, fillable, changed, *row = rows[0]
        if not holds:
            raise _conflict(condition, f"{action} as {label!r:.80}", row[2], row[4])
        if fillable is not None and strict is not None:
            report_malformed(fillable, name=name, strict=strict)
        return replace(_decode(row), changed=changed)

    statement = MOVE[kind](
        name=name,
        label=check_movable(label),
        **selector.parameters(),
        **condition.parameters(),
        author=check_optional(author, "author"),
        message=check_optional(message, "message"),
    )
    write = Operation(
        name=action,
        statements=(kind.lock(name), statement),
        decode=decode,
        invalidates=kind.stale(name),
    )
    moving = required(kind, action, name, selector, write)
    return _in_transaction(moving) if strict else moving


@transactional
def _in_transaction[T](request: Request[T]) -> Steps[T]:
    """Run a request in a transaction, which an error rolls back."""
    return (yield request)


def remove[R: DocumentRevision](
    kind: DocumentKind[Any, R],
    reference: object,
    label: str,
    *,
    author: str | None,
    message: str | None,
    expected: Expected[R] | datetime = None,
) -> Operation[bool]:
    """Remove a label from a name; return whether it was on a revision."""
    name = kind.name_of(reference)
    action = f"remove a label of {kind.titled(name)}"
    condition = precondition(kind, expected, name)
    # Older versions accepted white space around a label: such labels can still be removed.
    check_movable(label.strip() if isinstance(label, str) else label)

    def decode(rows: Sequence[Row]) -> bool:
        holds, removed, number, moved = rows[0]
        if not holds:
            raise _conflict(condition, f"{action}, {label!r:.80}", number, moved)
        return removed

    statement = REMOVE[kind](
        name=name,
        label=label,
        **condition.parameters(),
        author=check_optional(author, "author"),
        message=check_optional(message, "message"),
    )
    return Operation(
        name=action,
        statements=(kind.lock(name), statement),
        decode=decode,
        invalidates=kind.stale(name),
    )


def check_movable(label: object) -> str:
    """Return a label that can be put on a revision, or raise TypeError or ValueError."""
    text = check_label(label)
    if text == LATEST:
        raise ValueError("the label 'latest' is always on the newest revision; choose another")
    if not text or text.isdecimal():
        raise ValueError(f"a label must not be blank or a number, not {text!r:.60}")
    return text


def _conflict(
    condition: Precondition, action: str, number: int | None, moved: datetime | None
) -> RevisionConflict:
    on = "on none" if number is None else f"on revision {number}, since {moved}"
    return condition.conflict_error(action, f"the label is {on}")


def _decode_all(rows: Sequence[Row]) -> Records[LabelMove]:
    return Records(LabelMove, map(_decode, rows))


def _decode(row: Row) -> LabelMove:
    name, label, number, created, moved, author, message = row
    return LabelMove(
        name=name,
        label=label,
        revision=number,
        revision_created=None if created is None else created.astimezone(UTC),
        moved=moved.astimezone(UTC),
        author=author,
        message=message,
    )
