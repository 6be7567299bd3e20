"""Define and restore revisions of documents."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

from draive_pg.codec.json import encode
from draive_pg.codec.validation import check_mapping, check_optional, check_text
from draive_pg.errors import warn
from draive_pg.instruction_syntax import check_declared, report_malformed, well_formed
from draive_pg.models.documents import Revision, Snapshot
from draive_pg.operations.documents.instruction_reference import (
    Declaration,
    InstructionsReference,
    as_declaration,
    declaration_of,
)
from draive_pg.operations.documents.kind import (
    CONFIGURATIONS,
    INSTRUCTIONS,
    KINDS,
    REMOVED,
    DocumentKind,
    DocumentRevision,
    per_kind,
)
from draive_pg.operations.documents.preconditions import (
    Expected,
    Precondition,
    met,
    newest_found,
    precondition,
)
from draive_pg.operations.documents.read import REVISION_COLUMNS, required
from draive_pg.operations.documents.selectors import (
    SELECTED_CREATED,
    selector_of,
)
from draive_pg.operations.operation import (
    Operation,
    Query,
    Row,
    Steps,
    next_time,
    transactional,
)

if TYPE_CHECKING:
    from draive import Configuration, InstructionsDeclaration

# The caller holds the lock, so `created` is later than all earlier revisions. What is not given is
# that of the newest revision, unless draive could not have written it. JSON is compared as text,
# because 1 and 1.0 are equal as JSONB. Placeholders are checked in SQL, because kept arguments are
# known only here; :placeholders is NULL for a malformed template.
DEFINING: LiteralString = f"""
WITH latest AS (
    SELECT document.*
    FROM {{documents}} AS document
    WHERE document.name = :name::TEXT
    ORDER BY document.created DESC
    LIMIT 1
),
counted AS (
    SELECT
        count(*) AS revisions,
        count(*) FILTER (WHERE revision.created <= latest.created) AS newest,
        max(revision.created) AS last
    FROM {{revisions}} AS revision
    LEFT JOIN latest ON TRUE
    WHERE revision.name = :name::TEXT
),
proposed AS (
    SELECT
        :content::{{content_type}} AS content,
        CASE
            WHEN :described::BOOLEAN THEN :description::TEXT ELSE latest.description
        END AS description,
        coalesce(:arguments::JSONB, {{kept_arguments}}) AS arguments,
        CASE
            WHEN :meta::JSONB IS NOT NULL THEN :meta::JSONB
            WHEN jsonb_typeof(latest.meta) = 'object' THEN latest.meta
            ELSE '{{}}'
        END AS meta
    FROM counted
    LEFT JOIN latest ON TRUE
),
checked AS (
    SELECT
        :name::TEXT AS name,
        {next_time("counted.last")} AS created,
        proposed.*,
        {met("counted.newest", "latest.created")} AS expected,
        declared.names,
        cardinality(declared.names) = 0
            OR coalesce(:placeholders::TEXT[] <@ declared.names, FALSE) AS fits,
        latest.created IS NULL
            OR ({{redefined}}) IS TRUE
            OR (
                proposed.content::TEXT,
                proposed.description,
                proposed.arguments::TEXT,
                proposed.meta::TEXT
            ) IS DISTINCT FROM (
                latest.content::TEXT,
                latest.description,
                latest.arguments::TEXT,
                latest.meta::TEXT
            ) AS changed
    FROM proposed
    CROSS JOIN counted
    LEFT JOIN latest ON TRUE
    CROSS JOIN LATERAL (
        SELECT {{declared_names}} AS names
    ) AS declared
),
written AS (
    INSERT INTO {{table}} ({{columns}})
    SELECT {{values}}
    FROM checked
    WHERE expected AND fits AND changed
    RETURNING {{key}} AS name, created
),
noted AS (
    SELECT name, created, :author::TEXT AS author, :message::TEXT AS message
    FROM written
    WHERE :author::TEXT IS NOT NULL OR :message::TEXT IS NOT NULL
),
annotated AS (
    {{note}} SELECT name, created, author, message FROM noted
)
SELECT checked.expected, checked.fits, checked.names, revision.*
FROM checked
LEFT JOIN (
    SELECT
        checked.name,
        counted.revisions + 1 AS revision,
        checked.created,
        checked.content::TEXT AS content,
        checked.description,
        checked.arguments::TEXT AS arguments,
        checked.meta::TEXT AS meta,
        :author::TEXT AS author,
        :message::TEXT AS message,
        ARRAY[]::TEXT[] AS labels,
        TRUE AS current
    FROM written, checked, counted
    UNION ALL
    SELECT {REVISION_COLUMNS}
    FROM latest AS document
    LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
    WHERE NOT EXISTS (SELECT FROM written)
) AS revision ON TRUE
"""

# Removed from the statement if there is nothing to insert, so that the table is not needed.
NOTE: LiteralString = "INSERT INTO {notes} (name, created, author, message)"

DEFINE = per_kind("define", DEFINING.replace("{note}", NOTE))

NOTES = {kind: kind.fill(NOTE) for kind in KINDS}

# Like draive, adds a revision even if it equals the newest one. The caller holds the lock.
APPEND = per_kind(
    "append",
    f"""
INSERT INTO {{table}} ({{columns}})
SELECT {{values}}
FROM (
    SELECT
        :name::TEXT AS name,
        {next_time("max(document.created)")} AS created,
        :content::{{content_type}} AS content,
        :description::TEXT AS description,
        :arguments::JSONB AS arguments,
        :meta::JSONB AS meta
    FROM {{documents}} AS document
    WHERE document.name = :name::TEXT
) AS revision
""",
)

APPEND_OF_CLASS = Query(
    "configurations.append_of_class",
    CONFIGURATIONS.fill(f"""
INSERT INTO {{table}} (identifier, name, content, created)
SELECT
    :name::TEXT,
    :class_name::TEXT,
    :content::JSONB,
    {next_time("max(document.created)")}
FROM {{documents}} AS document
WHERE document.name = :name::TEXT
"""),
)


# The class of the next rows of an identifier, for the trigger that fills the column `name`: the
# given class, or that of the newest row of another identifier. Without one, the trigger decides.
SET_CLASS = Query(
    "configurations.set_class",
    CONFIGURATIONS.fill("""
SELECT set_config('draive_pg.configuration_name', :name::TEXT || E'\\n' || coalesce(
    :class_name::TEXT,
    (
        SELECT document.class
        FROM {documents} AS document
        WHERE document.name = :source::TEXT
        ORDER BY document.created DESC
        LIMIT 1
    )
), TRUE)
"""),
)


# As `LOAD_SELECTED`, and finds removed revisions whose content was kept.
RESTORABLE = {
    kind: Query(
        f"{kind.table}.restorable",
        kind.fill(
            f"""
SELECT
    document.content::TEXT,
    document.arguments::TEXT,
    document.created,
    document.description,
    document.meta::TEXT
FROM (
    SELECT * FROM {{documents}} AS present
    UNION ALL
    SELECT * FROM {kind.kept} AS gone
) AS document
WHERE document.name = :name::TEXT AND document.created = {SELECTED_CREATED}
LIMIT 1
"""
        ),
    )
    for kind in KINDS
}


class Content(NamedTuple):
    """A proposed revision as texts; None keeps the arguments or meta of the newest revision.

    The description, which may be NULL, is kept unless ``described``.
    """

    content: str
    arguments: str | None = None
    description: str | None = None
    meta: str | None = None
    described: bool = False


def define_instructions(
    instructions: InstructionsReference,
    *,
    content: str,
    message: str | None = None,
    author: str | None = None,
    expected: Expected[Revision] = None,
    strict: bool | None = False,
) -> Operation[Revision]:
    """Write a new revision if it differs from the newest one; return the newest one.

    A template that cannot be filled is reported, unless ``strict`` is None.
    """
    name = INSTRUCTIONS.name_of(instructions)
    check_text(content, f"the content of instructions {name!r:.80}")
    proposed = Content(content)
    if declaration := declaration_of(instructions):
        proposed = _declared(declaration, content)
        _check_placeholders(declaration, content, name)
    elif not isinstance(instructions, str) and instructions.meta:
        proposed = Content(content, meta=encode(instructions.meta, "meta"))
    if strict is not None:
        report_malformed(content, name=name, strict=strict)
    return define(
        INSTRUCTIONS,
        name,
        proposed,
        placeholders=well_formed(content),
        condition=precondition(INSTRUCTIONS, expected, name),
        author=author,
        message=message,
    )


def define_configuration(
    config: "Configuration | str",
    value: "Configuration | Mapping[str, Any] | None" = None,
    *,
    message: str | None = None,
    author: str | None = None,
    expected: Expected[Snapshot] = None,
) -> Operation[Snapshot]:
    """Write a new snapshot if it differs from the newest one; return the newest one."""
    identifier, content, class_name = _configuration(config, value)
    operation = define(
        CONFIGURATIONS,
        identifier,
        Content(content),
        condition=precondition(CONFIGURATIONS, expected, identifier),
        author=author,
        message=message,
    )
    return _with_class(operation, identifier, class_name)


def append_instructions(declaration: "InstructionsDeclaration", *, content: str) -> Operation[None]:
    """Write a new revision even if it equals the newest one, as draive does."""
    name = INSTRUCTIONS.name_of(declaration)
    check_text(content, f"the content of instructions {name!r:.80}")
    return append(INSTRUCTIONS, name, _declared(as_declaration(declaration), content))


def append_configuration(identifier: str, value: Mapping[str, Any]) -> Operation[None]:
    """Write a new snapshot even if it equals the newest one, as draive does."""
    name, content, _ = _configuration(identifier, value)
    return append(CONFIGURATIONS, name, Content(content))


def append_of_class(identifier: str, value: "Configuration") -> Operation[None]:
    """Write a new snapshot with its class, to a table that has the column for it."""
    name, content, class_name = _configuration(identifier, value)
    return Operation(
        name=f"define {CONFIGURATIONS.titled(name)}",
        statements=(
            CONFIGURATIONS.lock(name),
            APPEND_OF_CLASS(name=name, class_name=class_name, content=content),
        ),
        invalidates=CONFIGURATIONS.stale(name),
    )


@transactional
def restore[R: DocumentRevision](
    kind: DocumentKind[Any, R],
    reference: object,
    revision: object,
    *,
    message: str | None,
    author: str | None,
    expected: Expected[R],
) -> Steps[R]:
    """Write a new revision equal to an old one, which may be removed; return the newest one."""
    name = kind.name_of(reference)
    action = f"restore {kind.titled(name)}"
    selector = selector_of(kind, revision, name)
    condition = precondition(kind, expected, name)
    check_optional(author, "author")
    check_optional(message, "message")
    # Copied as stored text: parsing in Python could change numbers.
    read = Operation[Content | None](
        name=action,
        statements=(kind.lock(name), RESTORABLE[kind](name=name, **selector.parameters())),
        fallback=kind.fallback | REMOVED,
        decode=lambda rows: _content(rows[0]) if rows else None,
    )
    content: Content = yield required(kind, action, name, selector, read)
    write = define(
        kind, name, content, condition=condition, author=author, message=message, action=action
    )
    return (yield write)


def define[R: DocumentRevision](
    kind: DocumentKind[Any, R],
    name: str,
    proposed: Content,
    *,
    placeholders: Sequence[str] | None = (),
    condition: Precondition,
    author: str | None,
    message: str | None,
    action: str | None = None,
) -> Operation[R]:
    """Write a proposed revision if the precondition holds and the newest revision differs."""
    action = action or f"define {kind.titled(name)}"
    note = (check_optional(author, "author"), check_optional(message, "message"))

    def decode(rows: Sequence[Row]) -> R:
        expected, fits, declared, *row = rows[0]
        if not expected:
            raise condition.conflict_error(action, newest_found(row[1], row[2], row[7]))
        if not fits:
            kind.check_declared(proposed.content, declared, name=name)
        return kind.decode(row)

    statement = DEFINE[kind](
        name=name,
        **proposed._asdict(),
        **condition.parameters(),
        placeholders=None if placeholders is None else list(placeholders),
        author=author,
        message=message,
    )
    fallback = kind.fallback
    if note == (None, None):
        statement = statement._replace(sql=statement.sql.replace(NOTES[kind], ""))
    else:
        fallback = fallback.without(kind.notes)
    return Operation(
        name=action,
        statements=(kind.lock(name), statement),
        fallback=fallback,
        decode=decode,
        invalidates=kind.stale(name),
    )


def append(kind: DocumentKind[Any, Any], name: str, proposed: Content) -> Operation[None]:
    """Write a new revision even if it equals the newest one, as draive does."""
    values = proposed._asdict()
    del values["described"]
    return Operation(
        name=f"define {kind.titled(name)}",
        statements=(kind.lock(name), APPEND[kind](name=name, **values)),
        invalidates=kind.stale(name),
    )


def _content(row: Row) -> Content:
    """Return the content of a row of `LOAD_SELECTED`."""
    content, arguments, _, description, meta = row
    return Content(content, arguments, description, meta, described=True)


def _declared(declaration: Declaration, content: str) -> Content:
    """Return a content with a declaration's description, arguments and meta."""
    return Content(
        content,
        arguments=encode(declaration.arguments, "arguments"),
        description=check_optional(declaration.description, "the description"),
        meta=encode(declaration.meta, "meta"),
        described=True,
    )


def _check_placeholders(declaration: Declaration, content: str, name: str) -> None:
    """Raise for placeholders that are not declared; warn of required arguments without one.

    The latter is not an error: callers may still pass an argument that older revisions use.
    """
    arguments = declaration.arguments
    check_declared(content, [argument["name"] for argument in arguments], name=name)
    used = well_formed(content) or ()
    unused = [
        argument["name"]
        for argument in arguments
        if argument["required"] and argument["name"] not in used
    ]
    if unused:
        warn(
            f"instructions {name!r:.80} have no placeholder for {', '.join(map(repr, unused))}, "
            "which they declare as required",
            UserWarning,
        )


def _with_class[T](operation: Operation[T], name: str, class_name: str | None) -> Operation[T]:
    """Write the class of a configuration with it; None: that of the newest one."""
    if class_name is None:
        return operation
    given = SET_CLASS(name=name, source=name, class_name=class_name)
    return replace(operation, statements=(given, *operation.statements))


def _configuration(
    config: "Configuration | str", value: "Configuration | Mapping[str, Any] | None"
) -> tuple[str, str, str | None]:
    """Return the identifier, given or that of the class, the JSON text, and the class's name."""
    if isinstance(config, str):
        identifier = CONFIGURATIONS.name_of(config)
        if value is None:
            raise TypeError(f"define({identifier!r:.80}, value) needs the value to define")
    else:
        if value is not None:
            raise TypeError("define takes a configuration alone, or an identifier and a value")
        identifier, value = type(config).__qualname__, config
    class_name = None if isinstance(value, Mapping) else type(value).__name__
    return identifier, encode(_members(value), "the configuration"), class_name


def _members(value: "Configuration | Mapping[str, Any]") -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, type) or not hasattr(value, "to_mapping"):
        return check_mapping(value, "the configuration")
    return value.to_mapping(recursive=True)
