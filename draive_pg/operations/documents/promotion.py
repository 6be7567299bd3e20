"""Promote and roll back labels of documents of several kinds in one transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from draive_pg.codec.validation import check_mapping, check_optional, check_texts
from draive_pg.errors import DocumentMissing, RevisionConflict, RevisionMissing, similar_names
from draive_pg.models.documents import LabelMove, Release, Revision, Snapshot, TemplateRevision
from draive_pg.models.record import Records
from draive_pg.operations.documents import labels, read
from draive_pg.operations.documents.kind import (
    CONFIGURATIONS,
    INSTRUCTIONS,
    TEMPLATES,
    DocumentKind,
    lock_all,
    per_kind,
)
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.selectors import LATEST, check_label
from draive_pg.operations.operation import (
    Operation,
    Row,
    Steps,
    Workflow,
    read_rows,
    transactional,
    workflow,
)

type Kind = DocumentKind[Any, Any]
type Names = Mapping[Kind, Iterable[str] | None]
"""By kind, the names of the documents; None: those that the label itself determines."""
type Conditions = Mapping[Kind, Mapping[str, Expected[Any]] | None]
"""By kind and name, the revision that the moved label must be on."""
type Moves = dict[Kind, Records[LabelMove]]

NAMED: Mapping[str, Kind] = {
    "prompts": INSTRUCTIONS,
    "templates": TEMPLATES,
    "configurations": CONFIGURATIONS,
}

# The revision that a label was on before, if it still exists, and when the label was moved.
PREVIOUS = per_kind(
    "previous",
    """
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
    ),
    newest.moved,
    to_jsonb(newest) ->> 'released'
FROM {current_labels} AS newest
WHERE newest.label = :label::TEXT
    AND (:names::TEXT[] IS NULL OR newest.name = ANY (:names::TEXT[]))
ORDER BY newest.name
""",
)


def by_kind[T](given: Mapping[str, T], what: str) -> dict[Kind, T]:
    """Return a mapping of the public names of kinds by the kinds."""
    for name in check_mapping(given, what):
        if name not in NAMED:
            raise ValueError(f"{what} has {name!r:.60}; possible are {', '.join(NAMED)}")
    return {NAMED[name]: value for name, value in given.items()}


@transactional
def promote(
    source_label: str,
    target_label: str,
    names: Names,
    *,
    author: str | None,
    message: str | None,
    expected: Conditions,
) -> Steps[Moves]:
    """Move a label to the revisions that have another label.

    Raises
    ------
    RevisionMissing
        If one of the names, or no document at all, has the source label.
    RevisionConflict
        If the moved label is not on an expected revision.
    """
    check_label(source_label, "source_label")
    labels.check_movable(target_label)
    chosen, conditions = _checked(names, expected, author, message)
    if source_label == LATEST and None in chosen.values():
        raise ValueError("promote from 'latest' needs names: every document has that label")
    promoted: dict[Kind, list[str]] = {}
    for kind, given in chosen.items():
        if given is not None:
            promoted[kind] = given
            continue
        every = _absent_if(len(chosen) > 1, kind, labels.labels(kind, None))
        found: Records[LabelMove] = yield every
        promoted[kind] = [each.name for each in found if each.label == source_label]
    if not any(promoted.values()):
        nouns = " or ".join(kind.noun for kind in promoted)
        raise RevisionMissing(f"promote: no {nouns} has the label {source_label!r:.80}")
    yield lock_all(promoted)
    targets = {kind: dict.fromkeys(each, source_label) for kind, each in promoted.items()}
    note = {"author": author, "message": message}
    return (yield _move_all(target_label, targets, conditions, "promoted", note))


@transactional
def rollback(
    label: str,
    names: Names,
    *,
    author: str | None,
    message: str | None,
    expected: Conditions,
) -> Steps[Moves]:
    """Move a label to where it was before; without names, undo the newest transaction's moves.

    Raises
    ------
    RevisionMissing
        If it was on no revision before.
    RevisionConflict
        If it is not on an expected revision, or somebody moves it at the same time.
    """
    check_label(label)
    chosen, conditions = _checked(names, expected, author, message)
    found: dict[Kind, list[Row]] = {}
    for kind, given in chosen.items():
        found[kind] = yield _absent_if(len(chosen) > 1, kind, _previous(kind, label, given))
    moved = _newest(found, chosen)
    of_kind = {kind: chosen[kind] or [row[0] for row in rows] for kind, rows in moved.items()}
    yield lock_all(of_kind)
    for kind, rows in moved.items():
        # After another rollback, this one would move the label forward again.
        if rows and rows != (yield _previous(kind, label, of_kind[kind])):
            raise RevisionConflict(
                f"roll back the label {label!r:.60}: somebody moved it at the same time; look at "
                "its history, and try again"
            )
    earlier = {kind: {row[0]: row[1] for row in rows} for kind, rows in moved.items()}
    targets = {
        kind: {name: earlier[kind].get(name) for name in chosen[kind] or earlier[kind]}
        for kind in moved
    }
    if not any(targets.values()):
        raise RevisionMissing(
            f"roll back: no move of the label {label!r:.60} is known; give the names"
        )
    for kind, revisions in targets.items():
        for name, revision in revisions.items():
            if revision is None:
                raise (yield _no_earlier(kind, name, label))
    note = {"author": author, "message": message}
    return (yield _move_all(label, targets, conditions, "rolled back", note))


@workflow
def _no_earlier(kind: Kind, name: str, label: str) -> Steps[DocumentMissing | RevisionMissing]:
    """Return the error for a label that cannot be rolled back; suggest similar names."""
    action = f"roll back {kind.titled(name)}"
    there: read.Existing = yield read.existing(kind, name)
    if not there.revisions:
        return read.missing_error(kind, action, name, (yield read.names(kind)))
    if label not in there.labels:
        similar = similar_names(label, there.labels)
        return RevisionMissing(f"{action}: it has no label {label!r:.60}{similar}")
    return RevisionMissing(
        f"{action}: the label {label!r:.60} was on no other revision that exists; "
        "unlabel it, and roll back the others by their names"
    )


@workflow
def of_kind(kind: Kind, request: Workflow[Moves]) -> Steps[Records[LabelMove]]:
    """Return the moves of one kind."""
    return (yield request)[kind]


@workflow
def as_release(request: Workflow[Moves]) -> Steps[Release]:
    """Return moves of all kinds as a release that defined nothing."""
    moves: Moves = yield request
    none = Records(LabelMove)
    return Release(
        prompts=Records(Revision),
        configurations=Records(Snapshot),
        labels=moves.get(INSTRUCTIONS, none),
        configuration_labels=moves.get(CONFIGURATIONS, none),
        templates=Records(TemplateRevision),
        template_labels=moves.get(TEMPLATES, none),
    )


def _checked(
    names: Names, expected: Conditions, author: str | None, message: str | None
) -> tuple[dict[Kind, list[str] | None], dict[Kind, Mapping[str, Expected[Any]]]]:
    check_optional(author, "author")
    check_optional(message, "message")
    return (
        {kind: check_texts(given, "names") for kind, given in names.items()},
        {kind: check_mapping(given or {}, "expected") for kind, given in expected.items()},
    )


def _previous(kind: Kind, label: str, names: list[str] | None) -> Operation[list[Row]]:
    return read_rows(
        f"roll back the label {label!r:.60}", PREVIOUS[kind](label=label, names=names), list
    )


def _absent_if[T](several: bool, kind: Kind, operation: Operation[T]) -> Operation[T]:  # noqa: FBT001
    """Return a request that finds nothing of a kind that the database does not have."""
    return replace(operation, fallback=kind.absent) if several else operation


def _newest(
    moved: Mapping[Kind, list[Row]], chosen: Mapping[Kind, list[str] | None]
) -> dict[Kind, list[Row]]:
    """Return the rows of the transaction that moved the label last, and those of given names."""
    unnamed = [row for kind, rows in moved.items() if chosen[kind] is None for row in rows]
    *_, last = max(unnamed, key=lambda row: row[2], default=(None,))
    newest = {
        kind: rows if chosen[kind] is not None else [row for row in rows if row[3] == last]
        for kind, rows in moved.items()
        if last is not None or chosen[kind] is not None
    }
    return {kind: rows for kind, rows in newest.items() if rows or chosen[kind] is not None}


@workflow
def _move_all(
    label: str,
    targets: Mapping[Kind, Mapping[str, Any]],
    conditions: Mapping[Kind, Mapping[str, Expected[Any]]],
    done: str,
    note: Mapping[str, Any],
) -> Steps[Moves]:
    """Move a label to a revision of each name; raise for conditions of other names."""
    for kind, expected in conditions.items():
        for name in expected:
            if name not in targets.get(kind, ()):
                raise ValueError(f"expected names {name!r:.80}, which is not {done}")
    moves: Moves = {}
    for kind, revisions in targets.items():
        found: list[LabelMove] = []
        for name, revision in revisions.items():
            condition = conditions.get(kind, {}).get(name)
            move = labels.move(kind, name, label, revision, expected=condition, **note)
            found += [(yield move)]
        moves[kind] = Records(LabelMove, found)
    return moves
