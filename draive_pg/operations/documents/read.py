"""Reading revisions of documents: one, all of a name, the newest of each name, by search."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.validation import check_limit, check_optional
from draive_pg.errors import DocumentMissing, RevisionMissing
from draive_pg.models.documents import Diff
from draive_pg.models.record import Records
from draive_pg.operations.documents.kind import INSTRUCTIONS, Document, DocumentKind, per_kind
from draive_pg.operations.documents.selectors import (
    LATEST,
    SELECTED,
    RevisionSelector,
    newest_of,
    ref,
    select,
)
from draive_pg.operations.operation import (
    Key,
    Operation,
    Query,
    Request,
    Row,
    Steps,
    Workflow,
    decode_rows,
    warn_skipped,
    workflow,
)

if TYPE_CHECKING:
    from draive import InstructionsDeclaration

MAX_SIMILAR = 3  # similar names in the error for a missing one


# A parameter instead of a column, so that PostgreSQL can prune partitions.
NAME: LiteralString = ":name::TEXT"


def counted(name: LiteralString) -> LiteralString:
    """Return SQL for the number of a revision: a count of the revisions up to it, by the index."""
    return f"""(
        SELECT count(*)
        FROM {{documents}} AS earlier
        WHERE earlier.name = {name} AND earlier.created <= document.created
    )"""


def fields(number: LiteralString, name: LiteralString = "document.name") -> LiteralString:
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
        FROM {{labels}} AS move
        WHERE move.name = {name}
            AND move.revision = document.created
            AND NOT EXISTS (
                SELECT FROM {{labels}} AS later
                WHERE later.name = {name}
                    AND later.label = move.label
                    AND later.moved > move.moved
            )
        ORDER BY move.label
    ) AS labels,
    NOT EXISTS (
        SELECT FROM {{documents}} AS later
        WHERE later.name = {name} AND later.created > document.created
    ) AS current
"""


# For statements about one document, `:name`.
FIELDS = fields(counted(NAME), NAME)

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

LIST_NAMES = per_kind("names", NAMES + "SELECT name FROM names WHERE name IS NOT NULL")

LIST = per_kind(
    "list",
    NAMES
    + f"""
SELECT {fields(counted("document.name"))}
FROM names
CROSS JOIN LATERAL (
    SELECT revision.*
    FROM {{documents}} AS revision
    WHERE revision.name = names.name AND revision.created = {newest_of("names.name")}
    LIMIT 1
) AS document
LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
WHERE :prefix::TEXT IS NULL OR starts_with(names.name, :prefix::TEXT)
ORDER BY document.name
LIMIT :limit::INT8
""",
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
SELECT {FIELDS}
FROM {{documents}} AS document
LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
WHERE document.name = :name::TEXT AND document.created = {SELECTED}
""",
)

HISTORY = per_kind(
    "history",
    f"""
SELECT {fields("row_number() OVER (ORDER BY document.created)", NAME)}
FROM {{documents}} AS document
LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
WHERE document.name = :name::TEXT
ORDER BY document.created DESC
""",
)

# Revisions are numbered in a subquery that needs only the index, not the contents.
SEARCH = per_kind(
    "search",
    f"""
SELECT {fields("numbered.revision")}
FROM (
    SELECT
        name,
        created,
        row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
        created = max(created) OVER (PARTITION BY name) AS current
    FROM {{documents}} AS every
) AS numbered
JOIN {{documents}} AS document
    ON document.name = numbered.name AND document.created = numbered.created
LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
WHERE (
        :text::TEXT IS NULL
        OR position(lower(:text::TEXT) IN lower(document.name)) > 0
        OR position(lower(:text::TEXT) IN lower(document.content::TEXT)) > 0
        OR position(lower(:text::TEXT) IN lower(document.description)) > 0
        OR position(lower(:text::TEXT) IN lower(note.message)) > 0
    )
    AND (:meta::JSONB IS NULL OR document.meta @> :meta::JSONB)
    AND (:since::TIMESTAMPTZ IS NULL OR document.created >= :since::TIMESTAMPTZ)
    AND (:until::TIMESTAMPTZ IS NULL OR document.created < :until::TIMESTAMPTZ)
    AND (:author::TEXT IS NULL OR note.author = :author::TEXT)
    AND (
        :label::TEXT IS NULL
        OR document.created = (
            SELECT move.revision
            FROM {{labels}} AS move
            WHERE move.name = document.name AND move.label = :label::TEXT
            ORDER BY move.moved DESC
            LIMIT 1
        )
    )
    AND (numbered.current OR NOT :current::BOOLEAN)
ORDER BY document.name, document.created DESC
LIMIT :limit::INT8
""",
)

# For error messages. Labels of removed revisions are not included.
EXISTING = per_kind(
    "existing",
    """
SELECT
    (SELECT count(*) FROM {documents} AS document WHERE document.name = :name::TEXT),
    ARRAY(
        SELECT newest.label
        FROM (
            SELECT DISTINCT ON (move.label) move.label, move.revision
            FROM {labels} AS move
            WHERE move.name = :name::TEXT
            ORDER BY move.label, move.moved DESC
        ) AS newest
        JOIN {documents} AS document
            ON document.name = :name::TEXT AND document.created = newest.revision
        ORDER BY newest.label
    )
""",
)


class Existing(NamedTuple):
    """The revisions and labels of a name, for the error when the selected one is missing."""

    revisions: int
    labels: Sequence[str]


def names(kind: DocumentKind[Any, Any]) -> Operation[tuple[str, ...]]:
    """List the names of all documents, in order."""
    return Operation(
        name=f"list {kind.table}",
        statements=(LIST_NAMES[kind](),),
        read_only=True,
        decode=lambda rows: tuple([row[0] for row in rows]),
        key=Key(kind.table),
    )


def list_[R: Document](
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
    return Operation(
        name=f"list {kind.table}",
        statements=(statement,),
        fallback=kind.fallback,
        read_only=True,
        decode=lambda rows: Records(kind.record, map(kind.decode, rows)),
    )


def declarations(
    *, as_of: Timestamp | None = None, label: str | None = None, lenient: bool
) -> Operation[tuple["InstructionsDeclaration", ...]]:
    """List the declarations of each name's newest or labelled revision, in order of the names."""
    from draive_pg.codec import draive_types as codec

    selector = select(label=label, as_of=as_of)
    if selector.label is None:
        statement = NEWEST_DECLARATIONS(as_of=selector.as_of)
    else:
        statement = LABELLED_DECLARATIONS(selected_label=selector.label, as_of=selector.as_of)

    def decode(
        rows: Sequence[Row],
    ) -> Callable[[], tuple[tuple["InstructionsDeclaration", ...], tuple[str, ...]]]:
        return codec.immutable_or_factory(
            lambda: decode_rows(
                rows, lambda row: codec.decode_declaration(*row), skip_invalid=lenient
            )
        )

    def to_result(listed: Any) -> tuple["InstructionsDeclaration", ...]:
        found, skipped = listed()
        warn_skipped(skipped)
        return found

    return Operation(
        name="list instructions",
        statements=(statement,),
        read_only=True,
        decode=decode,
        to_result=to_result,
        key=Key(INSTRUCTIONS.table, variant=(selector, lenient)),
    )


def history[R: Document](kind: DocumentKind[Any, R], reference: object) -> Operation[Records[R]]:
    """Read all revisions of a name, the newest first."""
    name = kind.name_of(reference)
    return Operation(
        name=f"read the history of {kind.titled(name)}",
        statements=(HISTORY[kind](name=name),),
        fallback=kind.fallback,
        read_only=True,
        decode=lambda rows: Records(kind.record, map(kind.decode, rows)),
    )


def selected[R: Document](
    kind: DocumentKind[Any, R], action: str, name: str, selector: RevisionSelector
) -> Operation[R | None]:
    """Read the selected revision of a name, or None."""
    return Operation(
        name=action,
        statements=(REVISION[kind](name=name, **selector.parameters()),),
        fallback=kind.fallback,
        read_only=True,
        decode=lambda rows: kind.decode(rows[0]) if rows else None,
    )


def revision[R: Document](
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
    selector = ref(kind, revision, name)
    return required(kind, action, name, selector, selected(kind, action, name, selector))


def diff[R: Document](
    kind: DocumentKind[Any, R], reference: object, a: object, b: object
) -> Workflow[Diff[R]]:
    """Compare two revisions of a name."""
    name = kind.name_of(reference)
    action = f"compare revisions of {kind.titled(name)}"
    before, after = [
        required(kind, action, name, selector, selected(kind, action, name, selector))
        for selector in (ref(kind, a, name), ref(kind, b, name))
    ]
    return _diff(before, after)


@workflow
def _diff[R: Document](before: Request[R], after: Request[R]) -> Steps[Diff[R]]:
    return Diff((yield before), (yield after))


def search[R: Document](  # noqa: PLR0913 - each is an argument of the public method
    kind: DocumentKind[Any, R],
    text: str | None,
    *,
    meta: Mapping[str, Any] | None,
    since: Timestamp | None,
    until: Timestamp | None,
    author: str | None,
    label: str | None,
    current: bool,
    limit: int | None,
) -> Operation[Records[R]]:
    """Search the revisions of all names."""
    statement = SEARCH[kind](
        text=check_optional(text, "text"),
        meta=encode_mapping(meta, "meta"),
        since=check_timestamp(since, "since"),
        until=check_timestamp(until, "until"),
        author=check_optional(author, "author"),
        label=None if label == LATEST else check_optional(label, "label"),
        current=current or label == LATEST,
        limit=check_limit(limit, "limit"),
    )
    return Operation(
        name=f"search {kind.table}",
        statements=(statement,),
        fallback=kind.fallback,
        read_only=True,
        decode=lambda rows: Records(kind.record, map(kind.decode, rows)),
    )


def existing(kind: DocumentKind[Any, Any], name: str) -> Operation[Existing]:
    """Read how many revisions a name has, and its labels."""
    return Operation(
        name=f"look for {kind.titled(name)}",
        statements=(EXISTING[kind](name=name),),
        fallback=kind.fallback,
        read_only=True,
        decode=lambda rows: Existing(*rows[0]),
        key=Key(kind.table, name, Existing),
    )


@workflow
def required[T](
    kind: DocumentKind[Any, Any],
    action: str,
    name: str,
    selector: RevisionSelector,
    operation: Request[T | None],
) -> Steps[T]:
    """Run an operation on a selected revision; raise if it finds none.

    If it finds none, a second query reads the existing revisions, labels and similar names for the
    error message.

    Raises
    ------
    DocumentMissing
        If there is no revision of the name.
    RevisionMissing
        If there is no such revision.
    """
    found: T | None = yield operation
    if found is not None:
        return found
    there: Existing = yield existing(kind, name)
    if not there.revisions:
        raise missing_error(kind, action, name, (yield names(kind)))
    numbers = "is revision 1" if there.revisions == 1 else f"are revisions 1 to {there.revisions}"
    labels = ", ".join(f"{label!r:.80}" for label in there.labels) or "no labels"
    raise RevisionMissing(f"{action}: there is no {selector}; there {numbers}, and {labels}")


def missing_error(
    kind: DocumentKind[Any, Any], action: str, name: str, others: Sequence[str]
) -> DocumentMissing:
    """Return the error for a name without revisions, suggesting similar names."""
    similar = [f"{each!r:.80}" for each in get_close_matches(name, others, MAX_SIMILAR)]
    suggestion = f"; similar names: {', '.join(similar)}" if similar else ""
    return kind.missing(f"{action}: there {kind.none} of that name{suggestion}", name)
