"""Kinds of versioned documents: what differs between instructions and configurations.

All statements are written once. ``{documents}`` in them is the table of a kind with the columns
name, created, content, description, arguments and meta; ``{notes}`` and ``{labels}`` are the tables
of draive_pg that belong to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, LiteralString

from draive_pg.codec.json import parse
from draive_pg.codec.validation import check_text
from draive_pg.errors import DocumentMissing
from draive_pg.models.documents import Revision, Snapshot
from draive_pg.operations.operation import Fallback, Key, Query, Row, Statement, advisory_lock

if TYPE_CHECKING:
    from draive import Configuration, Instructions, InstructionsDeclaration

type InstructionsReference = str | Instructions | InstructionsDeclaration
type ConfigurationReference = str | type[Configuration]

type Document = Revision | Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class DocumentKind[Reference, R: Document]:
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
    notes, labels : str
        The tables of authors and messages, and of label moves.
    noun, none : str
        Words for messages: one document, and "there ... of that name" for a missing one.
    record : type
        The class of its revisions.
    name_of : callable
        Return the name that a reference stands for, or raise TypeError or ValueError.
    decode : callable
        Convert a row with the columns of `read.fields` to a record.
    missing : callable
        Build the error for a missing document from a message and the name.
    """

    table: LiteralString
    key: LiteralString
    columns: LiteralString
    values: LiteralString
    source: LiteralString
    content_type: LiteralString
    notes: LiteralString
    labels: LiteralString
    noun: LiteralString
    none: LiteralString
    record: type[R]
    name_of: Callable[[Reference], str]
    decode: Callable[[Row], R]
    missing: Callable[[str, str], DocumentMissing]

    @property
    def fallback(self) -> Fallback:
        """Empty tables for a database that `setup` never extended."""
        return Fallback(
            self.labels,
            {
                self.notes: "(SELECT '' AS name, now() AS created, '' AS author, '' AS message "
                "WHERE FALSE)",
                self.labels: "(SELECT '' AS name, '' AS label, now() AS revision, now() AS moved, "
                "'' AS author, '' AS message WHERE FALSE)",
            },
        )

    def titled(self, name: str) -> str:
        """Return a document's name as messages show it."""
        return f"{self.noun} {name!r:.80}"

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
        return (
            template.replace("{documents}", self.source)
            .replace("{table}", f"{{schema}}.{self.table}")
            .replace("{key}", self.key)
            .replace("{columns}", self.columns)
            .replace("{values}", self.values)
            .replace("{content_type}", self.content_type)
            .replace("{notes}", f"{{schema}}.{self.notes}")
            .replace("{labels}", f"{{schema}}.{self.labels}")
        )


def _name_of_instructions(reference: InstructionsReference) -> str:
    if isinstance(reference, str):
        return check_text(reference, "the name of the instructions")
    from draive_pg.codec import draive_types as codec

    return check_text(codec.as_reference(reference).name, "the name of the instructions")


def _name_of_configuration(reference: ConfigurationReference) -> str:
    named = reference.__qualname__ if isinstance(reference, type) else reference
    return check_text(named, "identifier")


def _revision(row: Row) -> Revision:
    name, number, created, content, description, arguments, meta, *rest = row
    author, message, labels, current = rest
    return Revision(
        name=name,
        revision=number,
        created=created.astimezone(UTC),
        content=content,
        description=description,
        arguments=parse(arguments, f"the arguments of instructions {name!r:.80}"),
        meta=parse(meta, f"the meta of instructions {name!r:.80}"),
        author=author,
        message=message,
        labels=tuple(labels),
        current=current,
    )


def _snapshot(row: Row) -> Snapshot:
    identifier, number, created, content, *_, author, message, labels, current = row
    return Snapshot(
        identifier=identifier,
        revision=number,
        created=created.astimezone(UTC),
        content=parse(content, f"configuration {identifier!r:.80}"),
        author=author,
        message=message,
        labels=tuple(labels),
        current=current,
    )


def _instructions_missing(message: str, name: str) -> DocumentMissing:
    from draive_pg.codec.draive_types import InstructionsMissing

    return InstructionsMissing(message, name=name)


def _configuration_missing(message: str, name: str) -> DocumentMissing:
    from draive_pg.codec.draive_types import ConfigurationMissing

    return ConfigurationMissing(message, identifier=name)


INSTRUCTIONS = DocumentKind[InstructionsReference, Revision](
    table="instructions",
    key="name",
    columns="name, created, content, description, arguments, meta",
    values="name, created, content, description, arguments, meta",
    source="{schema}.instructions",
    content_type="TEXT",
    notes="draive_pg_revisions",
    labels="draive_pg_labels",
    noun="instructions",
    none="are no instructions",
    record=Revision,
    name_of=_name_of_instructions,
    decode=_revision,
    missing=_instructions_missing,
)

CONFIGURATIONS = DocumentKind[ConfigurationReference, Snapshot](
    table="configurations",
    key="identifier",
    columns="identifier, created, content",
    values="name, created, content",
    source="""(
        SELECT
            identifier AS name,
            created,
            content,
            NULL::TEXT AS description,
            '[]'::JSONB AS arguments,
            '{}'::JSONB AS meta
        FROM {schema}.configurations
    )""",
    content_type="JSONB",
    notes="draive_pg_configuration_revisions",
    labels="draive_pg_configuration_labels",
    noun="configuration",
    none="is no configuration",
    record=Snapshot,
    name_of=_name_of_configuration,
    decode=_snapshot,
    missing=_configuration_missing,
)

KINDS: tuple[DocumentKind[Any, Any], ...] = (INSTRUCTIONS, CONFIGURATIONS)


def per_kind(action: str, template: LiteralString) -> Mapping[DocumentKind[Any, Any], Query]:
    """Return a query for each kind, named by its table and the action."""
    return {kind: Query(f"{kind.table}.{action}", kind.fill(template)) for kind in KINDS}
