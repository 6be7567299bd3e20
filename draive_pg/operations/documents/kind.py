"""Kinds of versioned documents: what differs between instructions, templates and configurations.

All statements are written once. `DocumentKind.fill` replaces these names in them:

``{every}``
    The table of a kind with the columns name, created, content, description, arguments and meta.
    The arguments of a template are its variables.
``{documents}``
    The same without rows whose time Python cannot represent. A row at infinity, which SQL can
    write, would always be the newest.
``{revisions}``
    Name and time of each existing or removed revision; their order determines the numbers.
``{gone}``
    Name and time of each removed revision.
``{numbered}``
    A query of the same with numbers, and whether each is current; a WHERE clause can be appended.
``{moves}``
    The moves of labels.
``{current_labels}``
    The newest move of each label of each name.
``{kept_arguments}``, ``{declared_names}``
    In the statement that defines a revision: the arguments if none are given, and the names among
    which the placeholders must be.
``{fillable}``
    The content of a row called document, if it has to be filled and has braces.
``{notes}``, ``{labels}``, ``{removals}``
    The tables of draive_pg that belong to a kind: authors and messages, label moves, and times of
    removed revisions.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString, Protocol

from draive_pg.codec.json import parse
from draive_pg.codec.missing import document_missing
from draive_pg.codec.validation import check_text
from draive_pg.errors import DocumentMissing
from draive_pg.instruction_syntax import check_declared
from draive_pg.models.documents import (
    DocumentRevision,
    Revision,
    Snapshot,
    TemplateRevision,
    document_name,
)
from draive_pg.operations.documents.instruction_reference import (
    InstructionsReference,
    name_of_instructions,
)
from draive_pg.operations.operation import (
    Fallback,
    Key,
    Operation,
    Query,
    Row,
    Statement,
    advisory_lock,
    advisory_locks,
)
from draive_pg.template_syntax import check_used

if TYPE_CHECKING:
    from draive import Configuration

type ConfigurationReference = str | type[Configuration]


class IdentifiedTemplate(Protocol):
    """A template of draive, or its declaration."""

    @property
    def identifier(self) -> str: ...

    @property
    def meta(self) -> Mapping[str, Any]: ...


type TemplateReference = str | IdentifiedTemplate

# Python's years are 1 to 9999; the margins leave room for time zones.
FIRST: LiteralString = "TIMESTAMPTZ '0001-01-03 00:00:00Z'"
END: LiteralString = "TIMESTAMPTZ '9999-12-30 00:00:00Z'"


def representable(time: LiteralString) -> LiteralString:
    """Return SQL for whether Python can represent a time."""
    return f"({time} >= {FIRST} AND {time} < {END})"


DOCUMENTS: LiteralString = f"""(
    SELECT * FROM {{every}} AS stored WHERE {representable("stored.created")}
)"""

MOVES: LiteralString = f"""(
    SELECT *
    FROM {{labels}} AS stored
    WHERE {representable("stored.moved")}
        AND (stored.revision IS NULL OR {representable("stored.revision")})
)"""

# PostgreSQL applies a condition on the name, or on name and label, before it sorts.
CURRENT_LABELS: LiteralString = """(
    SELECT DISTINCT ON (name, label) * FROM {moves} AS move ORDER BY name, label, moved DESC
)"""

# A removed revision may have been inserted again, by rename or by SQL.
GONE: LiteralString = f"""(
    SELECT gone.name, gone.created
    FROM {{removals}} AS gone
    WHERE {representable("gone.created")}
        AND NOT EXISTS (
            SELECT FROM {{documents}} AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
)"""

REVISIONS: LiteralString = """(
    SELECT kept.name, kept.created, TRUE AS kept FROM {documents} AS kept
    UNION ALL
    SELECT removed.name, removed.created, FALSE FROM {gone} AS removed
)"""

NUMBERED: LiteralString = """
    SELECT
        name,
        created,
        row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
        created = max(created) FILTER (WHERE kept) OVER (PARTITION BY name) AS current
    FROM {revisions} AS revision"""

# The arguments of the newest revision, unless draive could not have written them.
KEPT_ARGUMENTS: LiteralString = """CASE
    WHEN jsonb_typeof(latest.arguments) = 'array'
        AND NOT latest.arguments @? '$[*] ? (!(@.name.type() == "string"))'
        THEN latest.arguments
    ELSE '[]'
END"""

# No names: the placeholders are not checked.
DECLARED_ARGUMENTS: LiteralString = """ARRAY(
    SELECT argument #>> '{}'
    FROM jsonb_path_query(proposed.arguments, '$[*].name ? (@.type() == "string")') AS argument
)"""

# draive requires the variables to be those of the text; a new one is described by its name.
KEPT_VARIABLES: LiteralString = """(
    SELECT coalesce(jsonb_object_agg(used, coalesce(latest.arguments ->> used, used)), '{}')
    FROM unnest(:placeholders::TEXT[]) AS used
)"""

# The variables of the newest revision, if somebody described them and none are given now.
DECLARED_VARIABLES: LiteralString = """ARRAY(
    SELECT described.member ->> 'key'
    FROM (
        SELECT
            member,
            bool_or(member ->> 'key' <> member ->> 'value') OVER () AS described
        FROM jsonb_path_query(latest.arguments, '$.keyvalue()', '{}', TRUE) AS member
    ) AS described
    WHERE described AND :arguments::JSONB IS NULL
)"""


# In a database on which `setup` of this version was not run, no removals are recorded.
REMOVED = Fallback(
    {
        "draive_pg_removed": "(SELECT '' AS kind, '' AS name, now() AS created, now() AS removed, "
        "'' AS role, '' AS author, '' AS message, '' AS digest, '' AS revision_author, "
        "'' AS revision_message, '{}'::JSONB AS content WHERE FALSE)"
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class DocumentKind[Reference, R: DocumentRevision]:
    """A table of versioned documents and the tables of draive_pg that belong to it.

    Attributes
    ----------
    table : str
        Its name, which is also the first part of cache keys, lock subjects and notifications.
    key : str
        The column of the name, and the attribute of the record.
    columns : str
        The columns that are written.
    values : str
        The canonical columns that are written to them.
    source : str
        The table, or a subquery, with the canonical columns.
    content_type : str
        The SQL type of the content.
    signature : str
        The column that is loaded with the content: the declared arguments, or the class.
    redefined : str
        SQL for whether an equal document is new, because its class is.
    kept_arguments, declared_names : str
        The SQL of these names in the statement that defines a revision.
    fillable : str
        The content as text if it has to be filled, else NULL.
    notes, labels, removals : str
        The tables of authors and messages, of label moves, and of removed revisions.
    noun, none : str
        Words for messages: one document, and what follows "there" if it is missing.
    record : type
        The class of its revisions.
    name_of : callable
        Return the name that a reference stands for, or raise TypeError or ValueError.
    check_declared : callable
        Raise `TemplateInvalid` for a content whose placeholders are not among the declared names.
    decode : callable
        Convert a row with the columns of `read.revision_columns` to a record.
    missing : callable
        Build the error for a missing document from a message and the name.
    """

    table: LiteralString
    key: LiteralString
    columns: LiteralString
    values: LiteralString
    source: LiteralString
    content_type: LiteralString
    signature: LiteralString
    redefined: LiteralString
    kept_arguments: LiteralString
    declared_names: LiteralString
    fillable: LiteralString
    notes: LiteralString
    labels: LiteralString
    removals: LiteralString
    noun: LiteralString
    none: LiteralString
    record: type[R]
    name_of: Callable[[Reference], str]
    check_declared: Callable[..., None]
    decode: Callable[[Row], R]
    missing: Callable[[str, str], DocumentMissing]

    @property
    def fallback(self) -> Fallback:
        """Empty tables for a database on which `setup` of this version was not run."""
        return Fallback(
            {
                self.notes: "(SELECT '' AS name, now() AS created, '' AS author, '' AS message "
                "WHERE FALSE)",
                self.labels: "(SELECT '' AS name, '' AS label, now() AS revision, now() AS moved, "
                "'' AS author, '' AS message WHERE FALSE)",
                self.removals: "(SELECT '' AS name, now() AS created WHERE FALSE)",
            }
        )

    @property
    def absent(self) -> Fallback:
        """All tables as empty ones, for a database without this kind."""
        types = ("TEXT", "TIMESTAMPTZ", self.content_type, "TEXT", "JSONB", "JSONB")
        columns: LiteralString = ", ".join(
            f"NULL::{type_} AS {column}"
            for type_, column in zip(types, self.columns.split(", "), strict=False)
        )
        empty: LiteralString = f"(SELECT {columns} WHERE FALSE){self._alias}"
        return Fallback({self.table: empty, **self.fallback.empty, **REMOVED.empty})

    @property
    def kept(self) -> LiteralString:
        """The removed revisions whose content was kept, with the columns of ``{every}``."""
        rows: LiteralString = f"""(
            SELECT (jsonb_populate_record(NULL::{{schema}}.{self.table}, removed.content)).*
            FROM {{schema}}.draive_pg_removed AS removed
            WHERE removed.kind = '{self.table}' AND removed.content IS NOT NULL
        ){self._alias}"""
        return self.source.replace(f"{{schema}}.{self.table}", rows)

    @property
    def _alias(self) -> LiteralString:
        """An alias for a subquery in place of the table, if it is within one."""
        return "" if self.source == f"{{schema}}.{self.table}" else " AS stored"

    def titled(self, name: str) -> str:
        """Return a document's name as messages show it."""
        return f"{self.noun} {name!r:.80}"

    def created_of(self, record: DocumentRevision, name: str, what: str) -> datetime:
        """Return the time of a record, or raise ValueError if it is not one of the name."""
        if not isinstance(record, self.record) or document_name(record) != name:
            raise ValueError(
                f"{what} is a {type(record).__name__} of {document_name(record)!r:.80}, not of "
                f"{self.titled(name)}"
            )
        return record.created

    def subject(self, name: str) -> str:
        """Return the advisory-lock key of a name."""
        return f"{self.table}/{name}"

    def lock(self, name: str) -> Statement:
        """Lock a name against concurrent writers of its revisions and labels."""
        return advisory_lock(self.subject(name))

    def stale(self, *names: str) -> tuple[Key, ...]:
        """Return the cache keys to invalidate when revisions or labels of the names change."""
        return (Key(self.table), *(Key(self.table, name) for name in names))

    def fill(self, template: LiteralString) -> LiteralString:
        """Return the SQL of a template for the tables of this kind."""
        replacements: Mapping[LiteralString, LiteralString] = {
            # Some of these contain later names.
            "{numbered}": NUMBERED,
            "{revisions}": REVISIONS,
            "{gone}": GONE,
            "{documents}": DOCUMENTS,
            "{current_labels}": CURRENT_LABELS,
            "{moves}": MOVES,
            "{every}": self.source,
            "{table}": f"{{schema}}.{self.table}",
            "{key}": self.key,
            "{columns}": self.columns,
            "{values}": self.values,
            "{content_type}": self.content_type,
            "{signature}": self.signature,
            "{redefined}": self.redefined,
            "{kept_arguments}": self.kept_arguments,
            "{declared_names}": self.declared_names,
            "{fillable}": self.fillable,
            "{notes}": f"{{schema}}.{self.notes}",
            "{labels}": f"{{schema}}.{self.labels}",
            "{removals}": f"{{schema}}.{self.removals}",
        }
        for name, sql in replacements.items():
            template = template.replace(name, sql)
        return template


def _name_of_template(reference: TemplateReference) -> str:
    named = reference if isinstance(reference, str) else getattr(reference, "identifier", reference)
    return check_text(named, "the identifier of the template")


def _name_of_configuration(reference: ConfigurationReference) -> str:
    named = reference.__qualname__ if isinstance(reference, type) else reference
    return check_text(named, "identifier")


def _revision(row: Row) -> Revision:
    name, _, _, content, description, arguments, meta, *_ = row
    return Revision(
        name=name,
        content=content,
        description=description,
        arguments=parse(arguments, f"the arguments of instructions {name!r:.80}"),
        meta=parse(meta, f"the meta of instructions {name!r:.80}"),
        **_common(row),
    )


def _template_revision(row: Row) -> TemplateRevision:
    identifier, _, _, content, description, variables, meta, *_ = row
    return TemplateRevision(
        identifier=identifier,
        content=content,
        description=description,
        variables=parse(variables, f"the variables of template {identifier!r:.80}"),
        meta=parse(meta, f"the meta of template {identifier!r:.80}"),
        **_common(row),
    )


def _snapshot(row: Row) -> Snapshot:
    identifier, _, _, content, *_ = row
    content = parse(content, f"configuration {identifier!r:.80}")
    return Snapshot(identifier=identifier, content=content, **_common(row))


def _common(row: Row) -> dict[str, Any]:
    """Return what a row has for the records of all kinds."""
    _, number, created, *_, author, message, labels, current = row
    return {
        "revision": number,
        "created": created.astimezone(UTC),
        "author": author,
        "message": message,
        "labels": tuple(labels),
        "current": current,
    }


INSTRUCTIONS = DocumentKind[InstructionsReference, Revision](
    table="instructions",
    key="name",
    columns="name, created, content, description, arguments, meta",
    values="name, created, content, description, arguments, meta",
    source="{schema}.instructions",
    content_type="TEXT",
    signature="arguments",
    redefined="FALSE",
    kept_arguments=KEPT_ARGUMENTS,
    declared_names=DECLARED_ARGUMENTS,
    # Not by a regular expression, for which PostgreSQL would expand the text four times.
    fillable="""CASE
            WHEN position('{' IN document.content) > 0 OR position('}' IN document.content) > 0
            THEN document.content
        END""",
    notes="draive_pg_revisions",
    labels="draive_pg_labels",
    removals="draive_pg_removals",
    noun="instructions",
    none="are no instructions",
    record=Revision,
    name_of=name_of_instructions,
    check_declared=check_declared,
    decode=_revision,
    missing=partial(document_missing, "draive.models.instructions", "InstructionsMissing", "name"),
)

TEMPLATES = DocumentKind[TemplateReference, TemplateRevision](
    table="templates",
    key="identifier",
    columns="identifier, created, content, description, variables, meta",
    values="name, created, content, description, arguments, meta",
    source="""(
        SELECT
            identifier AS name,
            created,
            content,
            description,
            variables AS arguments,
            meta
        FROM {schema}.templates
    )""",
    content_type="TEXT",
    signature="arguments",
    redefined="FALSE",
    kept_arguments=KEPT_VARIABLES,
    declared_names=DECLARED_VARIABLES,
    fillable="NULL::TEXT",
    notes="draive_pg_template_revisions",
    labels="draive_pg_template_labels",
    removals="draive_pg_template_removals",
    noun="template",
    none="is no template",
    record=TemplateRevision,
    name_of=_name_of_template,
    check_declared=check_used,
    decode=_template_revision,
    missing=partial(
        document_missing, "draive.multimodal.templates.types", "TemplateMissing", "identifier"
    ),
)

# A table of draive before 0.94 has no column `name`: then `name` is that of `without_classes`.
CONFIGURATIONS = DocumentKind[ConfigurationReference, Snapshot](
    table="configurations",
    key="identifier",
    columns="identifier, created, content",
    values="name, created, content",
    source="""(
        SELECT stored.*
        FROM (SELECT NULL::TEXT AS name) AS without_classes
        CROSS JOIN LATERAL (
            SELECT
                identifier AS name,
                created,
                content,
                NULL::TEXT AS description,
                '[]'::JSONB AS arguments,
                '{}'::JSONB AS meta,
                name AS class
            FROM {schema}.configurations
        ) AS stored
    )""",
    content_type="JSONB",
    signature="class",
    redefined="starts_with(current_setting('draive_pg.configuration_name', TRUE), :name || E'\\n') "
    "AND current_setting('draive_pg.configuration_name', TRUE) <> :name || E'\\n' || latest.class",
    kept_arguments="'[]'",
    declared_names="ARRAY[]::TEXT[]",
    fillable="NULL::TEXT",
    notes="draive_pg_configuration_revisions",
    labels="draive_pg_configuration_labels",
    removals="draive_pg_configuration_removals",
    noun="configuration",
    none="is no configuration",
    record=Snapshot,
    name_of=_name_of_configuration,
    check_declared=check_declared,
    decode=_snapshot,
    missing=partial(document_missing, "haiway", "ConfigurationMissing", "identifier"),
)

KINDS: tuple[DocumentKind[Any, Any], ...] = (INSTRUCTIONS, TEMPLATES, CONFIGURATIONS)


def per_kind(action: str, template: LiteralString) -> Mapping[DocumentKind[Any, Any], Query]:
    """Return a query for each kind, named by its table and the action."""
    return {kind: Query(f"{kind.table}.{action}", kind.fill(template)) for kind in KINDS}


def lock_all(names: Mapping[DocumentKind[Any, Any], Iterable[str]]) -> Operation[None]:
    """Lock several names against concurrent writers, in sorted order, which prevents deadlocks."""
    subjects = [kind.subject(name) for kind, some in names.items() for name in some]
    return Operation(name="lock documents", statements=(advisory_locks(subjects),))
