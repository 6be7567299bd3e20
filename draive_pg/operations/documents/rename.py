"""Rename documents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from draive_pg.codec.validation import check_optional
from draive_pg.errors import DocumentExists
from draive_pg.operations.documents.define import SET_CLASS
from draive_pg.operations.documents.kind import (
    CONFIGURATIONS,
    DocumentKind,
    DocumentRevision,
    lock_all,
    per_kind,
)
from draive_pg.operations.documents.preconditions import Expected, newest_found, precondition
from draive_pg.operations.documents.read import required, selected
from draive_pg.operations.documents.remove import NOTE_REMOVAL
from draive_pg.operations.documents.selectors import NEWEST
from draive_pg.operations.operation import Operation, Row, Steps, transactional

# INSERT and DELETE instead of UPDATE: the role may lack UPDATE. If a removed document of the new
# name had the same label, its newest move may be later, so the label is moved again. Revisions keep
# their numbers, and those of a removed document of the new name precede them.
RENAME = per_kind(
    "rename",
    """
WITH source AS (
    SELECT document.*
    FROM {every} AS document
    WHERE document.name = :name::TEXT
        AND NOT EXISTS (
            SELECT FROM {every} AS target WHERE target.name = :new_name::TEXT
        )
),
copied AS (
    INSERT INTO {table} ({columns})
    SELECT {values} FROM (
        SELECT :new_name::TEXT AS name, created, content, description, arguments, meta FROM source
    ) AS revision
    RETURNING created
),
numbered AS (
    SELECT name, created, kept
    FROM {revisions} AS revision
    WHERE name IN (:name::TEXT, :new_name::TEXT) AND EXISTS (SELECT FROM source)
),
renumbered AS (
    INSERT INTO {removals} (name, created)
    SELECT :new_name::TEXT, created FROM numbered WHERE name = :name::TEXT AND NOT kept
    UNION ALL
    SELECT
        :new_name::TEXT,
        (SELECT min(created) FROM numbered) - row_number() OVER () * INTERVAL '1 microsecond'
    FROM numbered AS target
    WHERE name = :new_name::TEXT
        AND created > (SELECT min(created) FROM numbered WHERE name = :name::TEXT)
        AND NOT EXISTS (
            SELECT FROM numbered AS own
            WHERE own.name = :name::TEXT AND own.created = target.created
        )
    ON CONFLICT DO NOTHING
),
annotated AS (
    INSERT INTO {notes} (name, created, author, message)
    SELECT :new_name::TEXT, created, note.author, note.message
    FROM {notes} AS note
    JOIN source USING (name, created)
),
moved AS (
    SELECT move.*
    FROM {labels} AS move
    WHERE move.name = :name::TEXT AND EXISTS (SELECT FROM source)
),
labelled AS (
    INSERT INTO {labels} (name, label, revision, moved, author, message, digest)
    SELECT :new_name::TEXT, label, revision, moved, author, message, digest FROM moved
    UNION ALL
    SELECT
        :new_name::TEXT,
        newest.label,
        newest.revision,
        greatest(clock_timestamp(), target.moved + INTERVAL '1 microsecond'),
        newest.author,
        newest.message,
        newest.digest
    FROM (
        SELECT DISTINCT ON (label) * FROM moved ORDER BY label, moved DESC
    ) AS newest
    JOIN (
        SELECT label, max(moved) AS moved
        FROM {labels} AS earlier
        WHERE earlier.name = :new_name::TEXT
        GROUP BY label
    ) AS target ON target.label = newest.label AND target.moved > newest.moved
),
unlabelled AS (
    DELETE FROM {labels} WHERE name = :name::TEXT AND EXISTS (SELECT FROM source)
),
removed AS (
    DELETE FROM {table} WHERE {key} = :name::TEXT AND EXISTS (SELECT FROM source)
)
SELECT
    EXISTS (SELECT FROM {every} AS document WHERE document.name = :name::TEXT) AS existed,
    EXISTS (SELECT FROM copied) AS renamed
""",
)


@transactional
def rename[R: DocumentRevision](
    kind: DocumentKind[Any, R],
    reference: object,
    new_name: str,
    *,
    message: str | None = None,
    author: str | None = None,
    expected: Expected[R] | datetime = None,
) -> Steps[R]:
    """Give a document a new name, with its revisions, labels, authors and messages.

    Raises
    ------
    DocumentExists
        If the new name has revisions.
    DocumentMissing
        If the old name has none.
    RevisionConflict
        If the newest revision is not the expected one.
    """
    name, new_name = kind.name_of(reference), kind.name_of(new_name)
    action = f"rename {kind.titled(name)}"
    condition = precondition(kind, expected, name)
    if name == new_name:
        raise ValueError(f"{action}: the new name is the old one")

    def decode(rows: Sequence[Row]) -> bool | None:
        existed, renamed = rows[0]
        if existed and not renamed:
            raise DocumentExists(
                f"{action}: {kind.titled(new_name)} exists already; choose another name, or remove "
                "it first"
            )
        return existed or None

    yield lock_all({kind: (name, new_name)})
    newest: R | None = yield selected(kind, action, name, NEWEST)
    number, created = (0, None) if newest is None else (newest.revision, newest.created)
    if not condition.holds(number, created):
        raise condition.conflict_error(action, newest_found(number, created))
    reason = f": {message}" if check_optional(message, "message") else ""
    notes = [
        NOTE_REMOVAL(
            author=check_optional(author, "author"),
            message=f"renamed to {new_name!r:.200}{reason}",
        )
    ]
    if kind is CONFIGURATIONS:
        notes.append(SET_CLASS(name=new_name, source=name, class_name=None))
    write = Operation[bool | None](
        name=action,
        statements=(*notes, RENAME[kind](name=name, new_name=new_name)),
        decode=decode,
        invalidates=kind.stale(name, new_name),
    )
    yield required(kind, action, name, NEWEST, write)
    return (yield selected(kind, action, new_name, NEWEST))
