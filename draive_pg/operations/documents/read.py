"""Reading revisions of documents: one, all of a name, the newest of each name, by search."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.validation import check_limit, check_optional
from draive_pg.errors import DocumentMissing, RevisionMissing, similar_names
from draive_pg.models.documents import Diff
from draive_pg.models.record import Records
from draive_pg.operations.conversations.search_index import create_trigram_index
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
    LATEST,
    SELECTED_CREATED,
    RevisionSelector,
    check_label,
    counted,
    newest_of,
    select,
    selector_of,
    unchanged,
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

# Characters of a part. A larger text is searched in parts, because the intermediate values of
# lower() must not exceed 1 GB. The parts overlap, so that no match is lost.
PART: LiteralString = "20000000"


def contains(text: LiteralString) -> LiteralString:
    """Return SQL for whether a text contains ``:text``, ignoring case."""
    return f"""CASE
            WHEN octet_length({text}) < {PART}
                THEN position(lower(:text::TEXT) IN lower({text})) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length({text}), {PART}) AS start
                WHERE position(
                    lower(:text::TEXT)
                    IN lower(substr({text}, start, {PART} + length(:text::TEXT)))
                ) > 0
            )
        END"""


# Bytes from which a text is not indexed, because that would need much memory, and what the index
# has in its place: with upper-case letters, so that no pattern matches it.
LARGE: LiteralString = "200000"
NOT_INDEXED: LiteralString = "'NOT INDEXED'"

PATTERN: LiteralString = (
    # E: backslashes have one meaning, whatever `standard_conforming_strings` is.
    r"""'%' || regexp_replace(lower(:text::TEXT), E'([%_\\\\])', E'\\\\\\1', 'g') || '%'"""
)


def indexed(text: LiteralString) -> LiteralString:
    """Return SQL for a text as the index for searches has it."""
    return f"CASE WHEN octet_length({text}) >= {LARGE} THEN {NOT_INDEXED} ELSE lower({text}) END"


def found(text: LiteralString) -> LiteralString:
    """Return the same condition as `contains` in a form that can use an index."""
    return f"""{indexed(text)} LIKE {PATTERN}
        OR (
            octet_length({text}) >= {LARGE}
            AND {indexed(text)} = {NOT_INDEXED}
            AND {contains(text)}
        )"""


SEARCHED: tuple[LiteralString, ...] = ("name", "content::TEXT", "description")


def any_of(
    condition: Callable[[LiteralString], LiteralString], row: LiteralString
) -> LiteralString:
    """Return SQL for whether one of the searched texts of a row fulfils a condition."""
    return " OR ".join(condition(f"{row}.{column}") for column in SEARCHED)


# PostgreSQL executes only the parts for the given arguments; only what is found is numbered.
SEARCH = per_kind(
    "search",
    with_unreadable(
        EVERY_NAME + ", wanted AS (SELECT name FROM names)",
        f"""
SELECT {revision_columns(counted("document.name", "document.created"))}
FROM (
    SELECT every.*
    FROM {{documents}} AS every
    WHERE :text::TEXT IS NULL AND :selected_label::TEXT IS NULL AND NOT :current::BOOLEAN
    UNION ALL
    SELECT every.*
    FROM {{documents}} AS every
    WHERE :selected_label::TEXT IS NULL
        AND NOT :current::BOOLEAN
        AND ({any_of(found, "every")})
    UNION ALL
    SELECT every.*
    FROM {{notes}} AS note
    CROSS JOIN LATERAL (
        SELECT noted.*
        FROM {{documents}} AS noted
        WHERE noted.name = note.name AND noted.created = note.created
        LIMIT 1
    ) AS every
    WHERE :selected_label::TEXT IS NULL
        AND NOT :current::BOOLEAN
        AND ({found("note.message")})
        AND ({any_of(contains, "every")}) IS NOT TRUE
    UNION ALL
    SELECT chosen.*
    FROM wanted
    CROSS JOIN LATERAL (
        SELECT revision.*
        FROM {{documents}} AS revision
        LEFT JOIN {{notes}} AS note
            ON note.name = revision.name AND note.created = revision.created
        WHERE revision.name = wanted.name
            AND revision.created = {newest_of("wanted.name")}
            AND (
                NOT :current::BOOLEAN
                OR NOT EXISTS (
                    SELECT FROM {{documents}} AS later
                    WHERE later.name = revision.name AND later.created > revision.created
                )
            )
            AND (
                :text::TEXT IS NULL
                OR {any_of(contains, "revision")}
                OR {contains("note.message")}
            )
    ) AS chosen
    WHERE :selected_label::TEXT IS NOT NULL OR :current::BOOLEAN
) AS document
LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
WHERE (:meta::JSONB IS NULL OR document.meta @> :meta::JSONB)
    AND (:since::TIMESTAMPTZ IS NULL OR document.created >= :since::TIMESTAMPTZ)
    AND (:until::TIMESTAMPTZ IS NULL OR document.created < :until::TIMESTAMPTZ)
    AND (:author::TEXT IS NULL OR note.author = :author::TEXT)
ORDER BY document.name, document.created DESC
LIMIT :limit::INT8
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


def names(kind: DocumentKind[Any, Any]) -> Operation[tuple[str, ...]]:
    """List the names of all documents, in order."""
    return Operation(
        name=f"list {kind.table}",
        statements=(LIST_NAMES[kind](),),
        read_only=True,
        decode=lambda rows: tuple([row[0] for row in rows]),
        key=Key(kind.table),
    )


def names_of_class(class_name: str) -> Operation[tuple[str, ...]]:
    """List the configurations that are or were of a class, in order."""
    return Operation(
        name=f"list configurations of class {class_name!r:.80}",
        statements=(NAMES_OF_CLASS(class_name=class_name),),
        read_only=True,
        decode=lambda rows: tuple([row[0] for row in rows]),
        key=Key(CONFIGURATIONS.table, variant=class_name),
    )


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
    return Operation(
        name=f"list {kind.table}",
        statements=(statement,),
        fallback=kind.fallback,
        read_only=True,
        decode=lambda rows: rows,
        to_result=partial(_records, kind),
    )


def declarations(
    *, as_of: Timestamp | None = None, label: str | None = None, lenient: bool
) -> Operation[tuple["InstructionsDeclaration", ...]]:
    """List the declarations of each name's newest or labelled revision, in order of the names."""
    from draive_pg.codec import draive_instructions as codec
    from draive_pg.codec.draive_configurations import immutable_or_factory

    selector = select(label=label, as_of=as_of)
    if selector.label is None:
        statement = NEWEST_DECLARATIONS(as_of=selector.as_of)
    else:
        statement = LABELLED_DECLARATIONS(selected_label=selector.label, as_of=selector.as_of)

    def decode(
        rows: Sequence[Row],
    ) -> Callable[[], tuple[tuple["InstructionsDeclaration", ...], tuple[str, ...]]]:
        return immutable_or_factory(
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


def history[R: DocumentRevision](
    kind: DocumentKind[Any, R], reference: object
) -> Operation[Records[R]]:
    """Read all revisions of a name, the newest first."""
    name = kind.name_of(reference)
    return Operation(
        name=f"read the history of {kind.titled(name)}",
        statements=(HISTORY[kind](name=name),),
        fallback=kind.fallback,
        read_only=True,
        decode=lambda rows: rows,
        to_result=partial(_records, kind),
    )


def selected[R: DocumentRevision](
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


def create_search_index(kind: DocumentKind[Any, Any], schema: str | None) -> Workflow[bool]:
    """Create the index for searches, and return whether it was missing."""
    columns: list[LiteralString] = kind.columns.split(", ")
    texts: list[LiteralString] = [
        indexed(f"{column}::TEXT")
        for value, column in zip(kind.values.split(", "), columns, strict=True)
        if value in {"name", "content", "description"}
    ]
    return create_trigram_index(kind.table, f"{kind.table}_search", texts, schema)


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


def search[R: DocumentRevision](  # noqa: PLR0913 - each is an argument of the public method
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
        selected_label=None if label is None or label == LATEST else check_label(label),
        as_of=None,
        current=current or label == LATEST,
        limit=check_limit(limit, "limit"),
    )
    return Operation(
        name=f"search {kind.table}",
        statements=(statement,),
        fallback=kind.fallback,
        read_only=True,
        decode=lambda rows: rows,
        to_result=partial(_records, kind),
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


def _records[R: DocumentRevision](kind: DocumentKind[Any, R], rows: Sequence[Row]) -> Records[R]:
    """Decode the rows of a listing, and warn of the unreadable ones."""
    warn_skipped(
        unreadable_revision(kind, name, created)
        for name, number, _, created, *_ in rows
        if number is None
    )
    return Records(kind.record, [kind.decode(row) for row in rows if row[1] is not None])
