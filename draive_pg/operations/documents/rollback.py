"""Roll back a label: move it to the revision that it was on before."""

from collections.abc import Iterable, Mapping
from typing import Any

from draive_pg.codec.validation import check_mapping, check_optional, check_texts
from draive_pg.errors import RevisionMissing
from draive_pg.models.documents import LabelMove
from draive_pg.models.record import Records
from draive_pg.operations.documents import labels
from draive_pg.operations.documents.kind import DocumentKind, lock_all, per_kind
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.selectors import check_label
from draive_pg.operations.operation import Operation, Steps, transactional

# Without names: those whose label the newest transaction moved. A revision that was removed since
# is not one to return to.
PREVIOUS = per_kind(
    "previous",
    """
WITH newest AS (
    SELECT * FROM {current_labels} AS move WHERE move.label = :label::TEXT
)
SELECT
    newest.name,
    (
        SELECT document.created
        FROM {moves} AS earlier
        JOIN {documents} AS document
            ON document.name = earlier.name AND document.created = earlier.revision
        WHERE earlier.name = newest.name
            AND earlier.label = newest.label
            AND earlier.moved < newest.moved
            AND earlier.revision IS DISTINCT FROM newest.revision
        ORDER BY earlier.moved DESC
        LIMIT 1
    )
FROM newest
WHERE CASE
        WHEN :names::TEXT[] IS NOT NULL THEN newest.name = ANY (:names::TEXT[])
        ELSE to_jsonb(newest) ->> 'released' = (
            SELECT to_jsonb(last) ->> 'released' FROM newest AS last ORDER BY moved DESC LIMIT 1
        )
    END
ORDER BY newest.name
""",
)


@transactional
def rollback(
    kind: DocumentKind[Any, Any],
    label: str,
    names: Iterable[str] | None,
    *,
    author: str | None,
    message: str | None,
    expected: Mapping[str, Expected[Any]] | None,
) -> Steps[Records[LabelMove]]:
    """Move a label of several documents to where it was before, or of none.

    Raises
    ------
    RevisionMissing
        If it was on no revision before.
    RevisionConflict
        If it is not on the expected revision.
    """
    check_label(label)
    check_optional(author, "author")
    check_optional(message, "message")
    wanted = check_texts(names, "names")
    conditions = check_mapping(expected or {}, "expected")
    if wanted is not None:
        yield lock_all({kind: wanted})
    read = Operation[dict[str, Any]](
        name=f"roll back the label {label!r:.60}",
        statements=(PREVIOUS[kind](label=label, names=wanted),),
        read_only=True,
        decode=lambda rows: dict(map(tuple, rows)),
    )
    found: dict[str, Any] = yield read
    if wanted is None:
        yield lock_all({kind: found})
        found = yield read  # as the lock found it
    chosen = found if wanted is None else wanted
    if not chosen:
        raise RevisionMissing(
            f"roll back: no move of the label {label!r:.60} is known; give the names"
        )
    for name in conditions:
        if name not in chosen:
            raise ValueError(f"expected names {name!r:.80}, which is not rolled back")
    moved: list[LabelMove] = []
    for name in chosen:
        if found.get(name) is None:
            raise RevisionMissing(
                f"roll back {kind.titled(name)}: the label {label!r:.60} was on no other revision "
                "that exists"
            )
        move = labels.move(
            kind,
            name,
            label,
            found[name],
            author=author,
            message=message,
            expected=conditions.get(name),
        )
        moved.append((yield move))
    return Records(LabelMove, moved)
