"""Reading revisions of documents: one, all of a name, the newest of each name."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_limit, check_optional
from draive_pg.errors import DocumentMissing, RevisionMissing, similar_names
from draive_pg.models.documents import Diff
from draive_pg.models.record import Records
from draive_pg.operations.documents.kind import (
    CONFIGURATIONS,
    END,
    FIRST,
    INSTRUCTIONS,
    DocumentKind,
    DocumentRevision,
    per_kind,
)
from draive_pg.operations.documents.selectors import (
    SELECTED_CREATED,
    RevisionSelector,
    counted,
    newest_of,
    select,
    selector_of,
    unchanged,
)
from draive_pg.operations.operation import (
    Cached,
    Key,
    Operation,
    Query,
    Request,
    Row,
    Statement,
    Steps,
    Workflow,
    decode_rows,
    read_rows,
    warn_skipped,
    workflow,
)

if TYPE_CHECKING:
    from draive import InstructionsDeclaration

MAX_LABELS = 10  # labels in the error for a missing revision


# A parameter instead of a column, so that PostgreSQL can prune partitions.
NAME: LiteralString = ":name::TEXT"


def revision_columns(number: LiteralString, name: LiteralString = "document.name") -> LiteralString:
    """Return the columns of a revision, as `DocumentKind.decode` takes them."""
    return f"""
    document.name,
    {number} AS revision,
    document.created,
    document.content::TEXT AS content,
    document.description,
    document.arguments::TEXT AS arguments,
    document.meta::TEXT AS meta,
    note.author,
    note.message,
    ARRAY(
        SELECT move.label
        FROM {{moves}} AS move
        WHERE move.name = {name}
            AND move.revision = document.created
            AND NOT EXISTS (
                SELECT FROM {{moves}} AS later
                WHERE later.name = {name}
                    AND later.label = move.label
                    AND later.moved > move.moved
            )
            AND {unchanged("document", "move")}
        ORDER BY move.label
    ) AS labels,
    NOT EXISTS (
        SELECT FROM {{documents}} AS later
        WHERE later.name = {name} AND later.created > document.created
    ) AS current
"""


# For statements about one document, `:name`.
REVISION_COLUMNS = revision_columns(counted(NAME, "document.created"), NAME)

# A loose index scan: one index lookup per name, independent of the number of revisions.
NAMES: LiteralString = """
WITH RECURSIVE names AS (
    (SELECT first.name FROM {documents} AS first ORDER BY first.name LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.name
        FROM {documents} AS next
        WHERE next.name > names.name
        ORDER BY next.name
        LIMIT 1
    )
    FROM names
    WHERE names.name IS NOT NULL
)
"""

EVERY_NAME: LiteralString = NAMES.replace("{documents}", "{every}")

LIST_NAMES = per_kind("names", NAMES + "SELECT name FROM names WHERE name IS NOT NULL")

# As draive, also those that were of the class before.
NAMES_OF_CLASS = Query(
    "configurations.names_of_class",
    CONFIGURATIONS.fill(
        NAMES
        + """
SELECT name
FROM names
WHERE EXISTS (
    SELECT FROM {documents} AS document
    WHERE document.name = names.name AND document.class = :class_name::TEXT
)
"""
    ),
)


def with_unreadable(names: LiteralString, revisions: LiteralString) -> LiteralString:
    """Return SQL that adds the revisions whose time Python cannot represent, without a number.

    Parameters
    ----------
    names : str
        A WITH clause that defines the names as ``wanted``.
    revisions : str
        The revisions, with the columns of `revision_columns`.
    """
    return f"""
{names}
SELECT * FROM ({revisions}) AS readable
UNION ALL
SELECT
    wanted.name, NULL, NULL, unreadable.created::TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM wanted
CROSS JOIN LATERAL (
    SELECT stored.created
    FROM {{every}} AS stored
    WHERE stored.name = wanted.name AND stored.created >= {END}
    UNION ALL
    SELECT stored.created
    FROM {{every}} AS stored
    WHERE stored.name = wanted.name AND stored.created < {FIRST}
) AS unreadable
ORDER BY 1, 3 DESC
"""


LIST = per_kind(
    "list",
    with_unreadable(
        EVERY_NAME
        + """,
wanted AS (
    SELECT name FROM names WHERE :prefix::TEXT IS NULL OR starts_with(name, :prefix::TEXT)
)""",
        f"""
SELECT {revision_columns(counted("document.name", "document.created"))}
FROM wanted
CROSS JOIN LATERAL (
    SELECT revision.*
    FROM {{documents}} AS revision
    WHERE revision.name = wanted.name AND revision.created = {newest_of("wanted.name")}
    LIMIT 1
) AS document
LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
ORDER BY document.name
LIMIT :limit::INT8
""",
    ),
)

DECLARATIONS: LiteralString = """
SELECT document.name, document.description, document.arguments::TEXT, document.meta::TEXT
FROM names
CROSS JOIN LATERAL (
    SELECT revision.*
    FROM {documents} AS revision
    WHERE revision.name = names.name AND {selected}
    ORDER BY revision.created DESC
    LIMIT 1
) AS document
ORDER BY document.name
"""

# Uses only draive's table: the adapters must work without the tables of draive_pg.
NEWEST_DECLARATIONS = Query(
    "instructions.declarations",
    INSTRUCTIONS.fill(
        NAMES
        + DECLARATIONS.replace(
            "{selected}",
            "(:as_of::TIMESTAMPTZ IS NULL OR revision.created <= :as_of::TIMESTAMPTZ)",
        )
    ),
)

LABELLED_DECLARATIONS = Query(
    "instructions.labelled_declarations",
    INSTRUCTIONS.fill(
        NAMES + DECLARATIONS.replace("{selected}", f"revision.created = {newest_of('names.name')}")
    ),
)

REVISION = per_kind(
    "revision",
    f"""
SELECT {REVISION_COLUMNS}
FROM {{documents}} AS document
LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
WHERE document.name = :name::TEXT AND document.created = {SELECTED_CREATED}
""",
)

HISTORY = per_kind(
    "history",
    with_unreadable(
        "WITH wanted AS (SELECT :name::TEXT AS name)",
        f"""
SELECT {revision_columns("numbered.revision", NAME)}
FROM (
    {{numbered}}
    WHERE name = :name::TEXT
) AS numbered
JOIN {{documents}} AS document
    ON document.name = :name::TEXT AND document.created = numbered.created
LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
""",
    ),
)


# For error messages. Labels of removed revisions are not included; those of changed ones are. The
# rows of haiway are mappings, so the columns need different names.
EXISTING = per_kind(
    "existing",
    f"""
SELECT
    count(document.created) AS revisions,
    {counted(NAME, "max(document.created)")} AS newest,
    ARRAY(
        SELECT move.label
        FROM {{current_labels}} AS move
        JOIN {{documents}} AS labelled
            ON labelled.name = :name::TEXT AND labelled.created = move.revision
        WHERE move.name = :name::TEXT
        ORDER BY move.label
    ) AS labels
FROM {{documents}} AS document
WHERE document.name = :name::TEXT
""",
)


class Existing(NamedTuple):
    """The revisions and labels of a name, for the error when the selected one is missing."""

    revisions: int
    newest: int
    labels: Sequence[str]


def names(kind: DocumentKind[Any, Any]) -> Cached[tuple[str, ...]]:
    """List the names of all documents, in order."""
    return Cached(Key(kind.table), lambda: _list_names(f"list {kind.table}", LIST_NAMES[kind]()))


def names_of_class(class_name: str) -> Cached[tuple[str, ...]]:
    """List the configurations that are or were of a class, in order."""
    return Cached(
        Key(CONFIGURATIONS.table, variant=class_name),
        lambda: _list_names(
            f"list configurations of class {class_name!r:.80}",
            NAMES_OF_CLASS(class_name=class_name),
        ),
    )


def _list_names(action: str, statement: Statement) -> Operation[tuple[str, ...]]:
    return read_rows(action, statement, lambda rows: tuple([row[0] for row in rows]))


def list_[R: DocumentRevision](
    kind: DocumentKind[Any, R],
    prefix: str | None = None,
    *,
    label: str | None = None,
    as_of: Timestamp | None = None,
    limit: int | None = None,
) -> Operation[Records[R]]:
    """List the newest or labelled revision of each name, in order of the names."""
    selector = select(label=label, as_of=as_of)
    statement = LIST[kind](
        prefix=check_optional(prefix, "prefix"),
        limit=check_limit(limit, "limit"),
        selected_label=selector.label,
        as_of=selector.as_of,
    )
    return read_rows(
        f"list {kind.table}", statement, partial(records, kind), fallback=kind.fallback
    )


type Listed = Callable[[], tuple[tuple[InstructionsDeclaration, ...], tuple[str, ...]]]
"""Declarations, and the errors of rows that cannot be decoded."""


def declarations(
    *, as_of: Timestamp | None = None, label: str | None = None, lenient: bool
) -> Cached[tuple["InstructionsDeclaration", ...]]:
    """List the declarations of each name's newest or labelled revision, in order of the names."""
    from draive_pg.codec import draive_instructions as codec
    from draive_pg.codec.draive_configurations import immutable_or_factory

    selector = select(label=label, as_of=as_of)

    def operation() -> Operation[Listed]:
        if selector.label is None:
            statement = NEWEST_DECLARATIONS(as_of=selector.as_of)
        else:
            statement = LABELLED_DECLARATIONS(selected_label=selector.label, as_of=selector.as_of)
        return read_rows(
            "list instructions",
            statement,
            lambda rows: immutable_or_factory(
                lambda: decode_rows(
                    rows, lambda row: codec.decode_declaration(*row), skip_invalid=lenient
                )
            ),
        )

    def to_result(listed: Listed) -> tuple["InstructionsDeclaration", ...]:
        found, skipped = listed()
        warn_skipped(skipped)
        return found

    return Cached(Key(INSTRUCTIONS.table, variant=(selector, lenient)), operation, to_result)


def history[R: DocumentRevision](
    kind: DocumentKind[Any, R], reference: object
) -> Operation[Records[R]]:
    """Read all revisions of a name, the newest first."""
    name = kind.name_of(reference)
    return read_rows(
        f"read the history of {kind.titled(name)}",
        HISTORY[kind](name=name),
        partial(records, kind),
        fallback=kind.fallback,
    )


def selected[R: DocumentRevision](
    kind: DocumentKind[Any, R], action: str, name: str, selector: RevisionSelector
) -> Operation[R | None]:
    """Read the selected revision of a name, or None."""
    return read_rows(
        action,
        REVISION[kind](name=name, **selector.parameters()),
        lambda rows: kind.decode(rows[0]) if rows else None,
        fallback=kind.fallback,
    )


def revision[R: DocumentRevision](
    kind: DocumentKind[Any, R], reference: object, revision: object
) -> Workflow[R]:
    """Read one revision of a name.

    Raises
    ------
    DocumentMissing, RevisionMissing
        If there is none.
    """
    name = kind.name_of(reference)
    action = f"read a revision of {kind.titled(name)}"
    selector = selector_of(kind, revision, name)
    return required(kind, action, name, selector, selected(kind, action, name, selector))


@workflow
def diff[R: DocumentRevision](
    kind: DocumentKind[Any, R], reference: object, a: object, b: object
) -> Steps[Diff[R]]:
    """Compare two revisions of a name."""
    name = kind.name_of(reference)
    action = f"compare revisions of {kind.titled(name)}"
    before, after = [
        required(kind, action, name, selector, selected(kind, action, name, selector))
        for selector in (selector_of(kind, a, name), selector_of(kind, b, name))
    ]
    return Diff((yield before), (yield after))


def existing(kind: DocumentKind[Any, Any], name: str) -> Cached[Existing]:
    """Read how many revisions a name has, and its labels."""
    return Cached(
        Key(kind.table, name, Existing),
        lambda: read_rows(
            f"look for {kind.titled(name)}",
            EXISTING[kind](name=name),
            lambda rows: Existing(*rows[0]),
            fallback=kind.fallback,
        ),
    )


@workflow
def required[T](
    kind: DocumentKind[Any, Any],
    action: str,
    name: str,
    selector: RevisionSelector,
    operation: Request[T | None],
) -> Steps[T]:
    """Run an operation on a selected revision; raise as `missing` does if it finds none."""
    found: T | None = yield operation
    return (yield missing(kind, action, name, selector)) if found is None else found


@workflow
def missing(
    kind: DocumentKind[Any, Any], action: str, name: str, selector: RevisionSelector
) -> Steps[Any]:
    """Raise the error for a missing revision, with the existing ones and similar names.

    Raises
    ------
    DocumentMissing
        If there is no revision of the name.
    RevisionMissing
        If there is no such revision.
    """
    there: Existing = yield existing(kind, name)
    if not there.revisions:
        raise missing_error(kind, action, name, (yield names(kind)))
    raise revision_missing_error(action, selector, there)


def revision_missing_error(
    action: str, selector: RevisionSelector, there: Existing
) -> RevisionMissing:
    """Return the error for a missing revision of a name that has others."""
    if selector.as_of is None and selector.label in there.labels:
        return RevisionMissing(
            f"{action}: the revision with the {selector} has another content than when it was "
            "labelled; check it, and label it again"
        )
    if there.revisions == there.newest:
        numbers = "is revision 1" if there.newest == 1 else f"are revisions 1 to {there.newest}"
    else:  # some were removed
        numbers = f"are {there.revisions} revisions up to {there.newest}"
    labels = ", ".join(f"{label!r:.80}" for label in there.labels[:MAX_LABELS]) or "no labels"
    more = f" and {len(there.labels) - MAX_LABELS} more labels" if there.labels[MAX_LABELS:] else ""
    return RevisionMissing(f"{action}: there is no {selector}; there {numbers}, and {labels}{more}")


def missing_error(
    kind: DocumentKind[Any, Any], action: str, name: str, others: Sequence[str]
) -> DocumentMissing:
    """Return the error for a name without revisions, suggesting similar names."""
    return kind.missing(
        f"{action}: there {kind.none} of that name{similar_names(name, others)}", name
    )


def unreadable_revision(kind: DocumentKind[Any, Any], name: str, created: str) -> str:
    """Return why a revision was skipped."""
    return f"a revision of {kind.titled(name)} at {created}, a time that Python cannot represent"


def records[R: DocumentRevision](kind: DocumentKind[Any, R], rows: Sequence[Row]) -> Records[R]:
    """Decode the rows of a listing, and warn of the unreadable ones."""
    warn_skipped(
        unreadable_revision(kind, name, created)
        for name, number, _, created, *_ in rows
        if number is None
    )
    return Records(kind.record, [kind.decode(row) for row in rows if row[1] is not None])
