"""Labels of documents: movable names of revisions, such as ``production``."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC
from typing import Any, LiteralString

from draive_pg.codec.validation import check_optional, check_text, check_texts
from draive_pg.models.documents import LabelMove
from draive_pg.models.record import Records
from draive_pg.operations.documents.kind import Document, DocumentKind, per_kind
from draive_pg.operations.documents.preconditions import Expected, precondition
from draive_pg.operations.documents.read import required
from draive_pg.operations.documents.selectors import LATEST, SELECTED, ref
from draive_pg.operations.operation import (
    Operation,
    Request,
    Row,
    Steps,
    Workflow,
    advisory_locks,
)

# The columns that `_decode` reads; the number is NULL if the revision was removed.
FIELDS: LiteralString = """
    move.name,
    move.label,
    (
        SELECT nullif(count(*), 0)
        FROM {documents} AS earlier
        WHERE earlier.name = :name::TEXT
            AND earlier.created <= move.revision
            AND EXISTS (
                SELECT FROM {documents} AS labelled
                WHERE labelled.name = :name::TEXT AND labelled.created = move.revision
            )
    ) AS number,
    move.revision,
    move.moved,
    move.author,
    move.message
"""

# Numbering all revisions in one pass over the index is several times faster than counting the
# revisions of each label.
LABELS = per_kind(
    "labels",
    """
SELECT
    move.name,
    move.label,
    numbered.number,
    move.revision,
    move.moved,
    move.author,
    move.message
FROM (
    SELECT DISTINCT ON (name, label) *
    FROM {labels} AS every
    WHERE :name::TEXT IS NULL OR name = :name::TEXT
    ORDER BY name, label, moved DESC
) AS move
JOIN (
    SELECT name, created, row_number() OVER (PARTITION BY name ORDER BY created) AS number
    FROM {documents} AS document
    WHERE :name::TEXT IS NULL OR name = :name::TEXT
) AS numbered ON numbered.name = move.name AND numbered.created = move.revision
ORDER BY move.name, move.label
""",
)

HISTORY = per_kind(
    "label_history",
    f"""
SELECT {FIELDS}
FROM {{labels}} AS move
WHERE move.name = :name::TEXT AND (:label::TEXT IS NULL OR move.label = :label::TEXT)
ORDER BY move.moved DESC, move.label
""",
)

# The caller holds the lock, so `moved` is later than all earlier moves.
MOVE = per_kind(
    "label",
    f"""
WITH newest AS (
    SELECT {FIELDS}
    FROM {{labels}} AS move
    WHERE move.name = :name::TEXT AND move.label = :label::TEXT
    ORDER BY move.moved DESC
    LIMIT 1
),
checked AS (
    SELECT
        document.created,
        (:expected_number::INT8 IS NULL OR coalesce(newest.number, 0) = :expected_number::INT8)
            AND (
                :expected_created::TIMESTAMPTZ IS NULL
                OR newest.revision IS NOT DISTINCT FROM :expected_created::TIMESTAMPTZ
            ) AS expected,
        newest.revision IS DISTINCT FROM document.created AS changed,
        greatest(clock_timestamp(), newest.moved + INTERVAL '1 microsecond') AS moved
    FROM {{documents}} AS document
    LEFT JOIN newest ON TRUE
    WHERE document.name = :name::TEXT AND document.created = {SELECTED}
),
written AS (
    INSERT INTO {{labels}} (name, label, revision, moved, author, message)
    SELECT :name::TEXT, :label::TEXT, created, moved, :author::TEXT, :message::TEXT
    FROM checked
    WHERE expected AND changed
    RETURNING name, label, revision, moved, author, message
)
SELECT checked.expected, move.*
FROM checked
LEFT JOIN (
    SELECT {FIELDS} FROM written AS move
    UNION ALL
    SELECT * FROM newest WHERE NOT EXISTS (SELECT FROM written)
) AS move ON TRUE
""",
)

REMOVE = per_kind(
    "unlabel",
    """
WITH newest AS (
    SELECT move.revision, move.moved
    FROM {labels} AS move
    WHERE move.name = :name::TEXT AND move.label = :label::TEXT
    ORDER BY move.moved DESC
    LIMIT 1
),
removed AS (
    INSERT INTO {labels} (name, label, moved, author, message)
    SELECT
        :name::TEXT,
        :label::TEXT,
        greatest(clock_timestamp(), moved + INTERVAL '1 microsecond'),
        :author::TEXT,
        :message::TEXT
    FROM newest
    WHERE revision IS NOT NULL
    RETURNING label
)
SELECT EXISTS (SELECT FROM removed)
""",
)


def labels(kind: DocumentKind[Any, Any], reference: object) -> Operation[Records[LabelMove]]:
    """List the labels of a name, or of all names for None, that are on a revision."""
    name = None if reference is None else kind.name_of(reference)
    return Operation(
        name="list labels" if name is None else f"list the labels of {kind.titled(name)}",
        statements=(LABELS[kind](name=name),),
        read_only=True,
        decode=_decode_all,
    )


def history(
    kind: DocumentKind[Any, Any], reference: object, label: str | None
) -> Operation[Records[LabelMove]]:
    """Read the moves of a name's labels, or of one of them, the newest first."""
    name = kind.name_of(reference)
    return Operation(
        name=f"read the label history of {kind.titled(name)}",
        statements=(HISTORY[kind](name=name, label=check_optional(label, "label")),),
        read_only=True,
        decode=_decode_all,
    )


def move[R: Document](
    kind: DocumentKind[Any, R],
    reference: object,
    label: str,
    revision: object,
    *,
    author: str | None,
    message: str | None,
    expected: Expected[R],
) -> Workflow[LabelMove]:
    """Move a label to a revision, unless it is there; return its newest move."""
    name = kind.name_of(reference)
    action = f"label {kind.titled(name)}"
    selector, condition = ref(kind, revision, name), precondition(kind, expected, name)

    def decode(rows: Sequence[Row]) -> LabelMove | None:
        if not rows:
            return None
        met, *row = rows[0]
        if not met:
            on = "on none" if row[2] is None else f"on revision {row[2]}, since {row[4]}"
            raise condition.conflict_error(f"{action} as {label!r:.80}", f"the label is {on}")
        return _decode(row)

    statement = MOVE[kind](
        name=name,
        label=_check_movable(label),
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
    return required(kind, action, name, selector, write)


def remove(
    kind: DocumentKind[Any, Any],
    reference: object,
    label: str,
    *,
    author: str | None,
    message: str | None,
) -> Operation[bool]:
    """Remove a label from a name; return whether it was on a revision."""
    name = kind.name_of(reference)
    statement = REMOVE[kind](
        name=name,
        label=_check_movable(label),
        author=check_optional(author, "author"),
        message=check_optional(message, "message"),
    )
    return Operation(
        name=f"remove a label of {kind.titled(name)}",
        statements=(kind.lock(name), statement),
        decode=lambda rows: rows[0][0],
        invalidates=kind.stale(name),
    )


def promote(
    kind: DocumentKind[Any, Any],
    source_label: str,
    target_label: str,
    names: Iterable[str] | None,
    *,
    author: str | None,
    message: str | None,
) -> Workflow[Records[LabelMove]]:
    """Move a label to the revisions that have another label, in one transaction."""
    check_text(source_label, "source_label")
    _check_movable(target_label)
    check_optional(author, "author")
    check_optional(message, "message")
    given = check_texts(names, "names")

    def moving(name: str) -> Request[LabelMove]:
        return move(
            kind, name, target_label, source_label, author=author, message=message, expected=None
        )

    return Workflow(_promote(kind, source_label, given, moving), transaction=True)


def _promote(
    kind: DocumentKind[Any, Any],
    source_label: str,
    names: Sequence[str] | None,
    moving: Callable[[str], Request[LabelMove]],
) -> Steps[Records[LabelMove]]:
    if names is None:
        found: Records[LabelMove] = yield labels(kind, None)
        names = [each.name for each in found if each.label == source_label]
    yield Operation(
        name=f"lock {kind.table}", statements=(advisory_locks(map(kind.subject, names)),)
    )
    moved: list[LabelMove] = []
    for name in names:
        moved += [(yield moving(name))]
    return Records(LabelMove, moved)


def _check_movable(label: str) -> str:
    """Return a label that can be put on a revision, or raise TypeError or ValueError."""
    check_text(label, "label")
    if label == LATEST:
        raise ValueError("the label 'latest' is always on the newest revision; choose another")
    if not label.strip() or label.isdecimal():
        raise ValueError(f"a label must not be blank or a number, not {label!r:.60}")
    return label


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
