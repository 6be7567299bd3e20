"""The tables that `setup` creates, compared with the catalog of a database."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Literal, LiteralString, NamedTuple

from draive_pg.lines.line import LINE_89, Line, Prompts, Store, detect
from draive_pg.operations.operation import Operation, Query, Row, read_rows

TABLE_KINDS = ("r", "p")  # relkind of a table, and of a partitioned one
KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence"}

type Part = Store | Prompts | Literal["configuration_names"]
"""Something of draive that only some lines have, with what belongs to it."""

# What a migration is for; one that is not listed is for every database.
PARTS: Mapping[str, Part] = {
    "002_instructions": "instructions",
    "003_memories": "memories",
    "004_memory_indexes": "memories",
    "005_notifications": "instructions",
    "006_revisions": "instructions",
    "007_labels": "instructions",
    "008_notifications": "instructions",
    "010_removals": "instructions",
    "011_folder_bases": "instructions",
    "014_configuration_names": "configuration_names",
    "015_templates": "templates",
    "016_conversation_memory": "conversation_memory",
    "018_agent_memory": "agent_memory",
    "019_uuid_memories": "uuid_memories",
    "020_instruction_audit": "instructions",
    "021_agent_threads": "agent_memory",
    "023_recent_memories": "memories",
    "029_recent_turns": "conversation_memory",
}


@dataclass(frozen=True, slots=True)
class ExpectedTable:
    """A table that `setup` creates.

    Attributes
    ----------
    name : str
        Its name.
    migration : str
        The file of ``schema/`` that creates it.
    columns : dict
        The types of its columns.
    optional : dict
        The types of columns that only some releases of draive have.
    indexes, triggers : dict
        The names of its indexes, beside the primary key, and of its triggers, each with the last
        file that creates it.
    grants_of : str | None
        An older table whose grants `setup` copies to this one when it is new, so that roles with
        grants for single tables can do after an upgrade what they could do before.
    """

    name: LiteralString
    migration: str
    columns: dict[str, str]
    indexes: dict[LiteralString, str] = field(default_factory=dict[LiteralString, str])
    triggers: dict[str, str] = field(default_factory=dict[str, str])
    grants_of: LiteralString | None = None
    optional: dict[str, str] = field(default_factory=dict[str, str])


def is_for(migration: str, parts: Set[Part]) -> bool:
    """Return whether a migration is for a database with the given parts."""
    part = PARTS.get(migration)
    return part is None or part in parts


def _columns(text: str) -> dict[str, str]:
    """Return columns, written as in CREATE TABLE, with their types."""
    return dict(map(str.split, text.split(", ")))


NOTIFY_TRIGGERS: dict[str, str] = dict.fromkeys(
    ("draive_pg_notify", "draive_pg_notify_truncate"), "008_notifications"
)

REMOVAL_TRIGGERS: dict[str, str] = dict.fromkeys(
    ("draive_pg_record_removal", "draive_pg_record_truncate"), "010_removals"
)

AUDIT_TRIGGERS = ("draive_pg_audit_removal", "draive_pg_audit_truncate")

REVISION_COLUMNS = _columns("name text, created timestamptz, author text, message text")

LABEL_COLUMNS = _columns(
    "name text, label text, revision timestamptz, moved timestamptz, author text, message text, "
    "digest text, released timestamptz"
)

REMOVAL_COLUMNS = _columns("name text, created timestamptz")

TABLES = (
    ExpectedTable(
        "draive_pg_migrations",
        "000_migrations",
        _columns("version int4, name text, checksum text, applied timestamptz"),
    ),
    ExpectedTable(
        "configurations",
        "001_configurations",
        _columns("identifier text, content jsonb, created timestamptz"),
        optional={"name": "text"},
        triggers={
            **dict.fromkeys((*NOTIFY_TRIGGERS, *REMOVAL_TRIGGERS), "013_configurations"),
            **dict.fromkeys(AUDIT_TRIGGERS, "012_audit"),
            "draive_pg_name": "014_configuration_names",
        },
    ),
    ExpectedTable(
        "instructions",
        "002_instructions",
        _columns(
            "name text, description text, content text, arguments jsonb, meta jsonb, "
            "created timestamptz"
        ),
        triggers=NOTIFY_TRIGGERS
        | REMOVAL_TRIGGERS
        | dict.fromkeys(AUDIT_TRIGGERS, "020_instruction_audit"),
    ),
    ExpectedTable(
        "templates",
        "015_templates",
        _columns(
            "identifier text, description text, content text, variables jsonb, meta jsonb, "
            "created timestamptz"
        ),
        triggers=dict.fromkeys(
            (*NOTIFY_TRIGGERS, *REMOVAL_TRIGGERS, *AUDIT_TRIGGERS), "015_templates"
        ),
    ),
    ExpectedTable(
        "memories",
        "003_memories",
        _columns("identifier text, created timestamptz"),
        indexes={"memories_created_identifier": "023_recent_memories"},
    ),
    ExpectedTable(
        "memories_variables",
        "003_memories",
        _columns("identifier text, variables jsonb, created timestamptz"),
        indexes={
            "memories_variables_identifier_created": "004_memory_indexes",
            "memories_variables_created_identifier": "023_recent_memories",
        },
    ),
    ExpectedTable(
        "memories_elements",
        "003_memories",
        _columns("identifier text, content jsonb, created timestamptz"),
        indexes={
            "memories_elements_identifier_created": "004_memory_indexes",
            "memories_elements_created_identifier": "023_recent_memories",
        },
    ),
    ExpectedTable(
        "memories", "019_uuid_memories", _columns("identifier uuid, created timestamptz")
    ),
    ExpectedTable(
        "memories_variables",
        "019_uuid_memories",
        _columns("memories uuid, variables jsonb, created timestamptz"),
        indexes={"memories_variables_idx": "019_uuid_memories"},
    ),
    ExpectedTable(
        "memories_elements",
        "019_uuid_memories",
        _columns("identifier uuid, memories uuid, content jsonb, created timestamptz"),
        indexes={"memories_elements_idx": "019_uuid_memories"},
    ),
    ExpectedTable(
        "conversation_memory",
        "016_conversation_memory",
        _columns("thread_id text, identifier uuid, turn text, payload jsonb, created timestamptz"),
        indexes={
            "conversation_memory_idx": "016_conversation_memory",
            "draive_pg_recent_turns": "029_recent_turns",
        },
    ),
    ExpectedTable(
        "agent_memory",
        "018_agent_memory",
        _columns(
            "agent_uri text, thread_id uuid, identifier uuid, context jsonb, created timestamptz"
        ),
        indexes={
            "agent_memory_idx": "018_agent_memory",
            "draive_pg_agent_threads": "021_agent_threads",
        },
    ),
    ExpectedTable("draive_pg_revisions", "006_revisions", REVISION_COLUMNS),
    ExpectedTable(
        "draive_pg_labels",
        "007_labels",
        LABEL_COLUMNS,
        indexes={"draive_pg_labels_name_revision": "025_label_revisions"},
        triggers=NOTIFY_TRIGGERS,
    ),
    ExpectedTable(
        "draive_pg_configuration_revisions",
        "009_configuration_labels",
        REVISION_COLUMNS,
        grants_of="draive_pg_revisions",
    ),
    ExpectedTable(
        "draive_pg_configuration_labels",
        "009_configuration_labels",
        LABEL_COLUMNS,
        indexes={"draive_pg_configuration_labels_name_revision": "025_label_revisions"},
        triggers=dict.fromkeys(NOTIFY_TRIGGERS, "009_configuration_labels"),
        grants_of="draive_pg_labels",
    ),
    ExpectedTable(
        "draive_pg_template_revisions",
        "015_templates",
        REVISION_COLUMNS,
        grants_of="draive_pg_configuration_revisions",
    ),
    ExpectedTable(
        "draive_pg_template_labels",
        "015_templates",
        LABEL_COLUMNS,
        indexes={"draive_pg_template_labels_name_revision": "025_label_revisions"},
        triggers=dict.fromkeys(NOTIFY_TRIGGERS, "015_templates"),
        grants_of="draive_pg_configuration_labels",
    ),
    ExpectedTable(
        "draive_pg_removals",
        "010_removals",
        REMOVAL_COLUMNS,
        grants_of="draive_pg_revisions",
    ),
    ExpectedTable(
        "draive_pg_configuration_removals",
        "013_configurations",
        REMOVAL_COLUMNS,
        grants_of="draive_pg_revisions",
    ),
    ExpectedTable(
        "draive_pg_template_removals",
        "015_templates",
        REMOVAL_COLUMNS,
        grants_of="draive_pg_configuration_removals",
    ),
    ExpectedTable(
        "draive_pg_folder_bases",
        "013_configurations",
        _columns(
            "documents text, name text, number int8, revision timestamptz, digest text, "
            "stored text, labels jsonb, recorded timestamptz"
        ),
        grants_of="draive_pg_revisions",
    ),
    ExpectedTable(
        "draive_pg_removed",
        "012_audit",
        _columns(
            "kind text, name text, created timestamptz, removed timestamptz, role text, "
            "author text, message text, digest text, revision_author text, revision_message text, "
            "content jsonb"
        ),
        indexes={"draive_pg_removed_kind_name_created": "012_audit"},
        grants_of="draive_pg_revisions",
    ),
    ExpectedTable(
        "draive_pg_removed_elements",
        "022_conversation_store",
        _columns(
            "identifier text, created timestamptz, action text, removed timestamptz, role text, "
            "author text, reason text, content jsonb"
        ),
        indexes={"draive_pg_removed_elements_identifier_removed": "022_conversation_store"},
        grants_of="memories_elements",
    ),
    ExpectedTable(
        "draive_pg_keys",
        "022_conversation_store",
        _columns("identifier text, key text, expires timestamptz"),
        grants_of="memories_elements",
    ),
    ExpectedTable(
        "draive_pg_annotations",
        "024_annotations",
        _columns(
            "identifier text, id text, digest text, occurrence int4, name text, score float8, "
            "comment text, tags jsonb, author text, annotated timestamptz"
        ),
        grants_of="memories_elements",
    ),
    ExpectedTable(
        "draive_pg_ttl",
        "026_time_to_live",
        _columns("is_prefix bool, name text, ttl interval"),
        grants_of="memories_elements",
    ),
)

# Not created by a migration: `Memories.embed` does that.
EMBEDDINGS = tuple(
    ExpectedTable(name, "", _columns("identifier text, model text, digest bytea, embedding vector"))
    for name in ("draive_pg_embeddings", "draive_pg_turn_embeddings")
)

# Every role may read the catalog, even without a privilege on the schema. Partitions are counted
# with their table.
CATALOG = Query(
    "setup.tables",
    """
SELECT
    expected.name,
    coalesce(found.relkind::TEXT, ''),
    (SELECT nspname::TEXT FROM pg_namespace WHERE oid = found.relnamespace),
    kept.rows,
    kept.bytes,
    ARRAY(
        SELECT kind
        FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS kind
        WHERE has_schema_privilege(found.relnamespace, 'USAGE')
            AND has_table_privilege(found.oid, kind)
    ),
    ARRAY(
        SELECT ARRAY[attname::TEXT, typname::TEXT]
        FROM pg_attribute
        JOIN pg_type ON pg_type.oid = atttypid
        WHERE attrelid = found.oid AND attnum > 0 AND NOT attisdropped
    ),
    ARRAY(
        SELECT attname::TEXT
        FROM pg_attribute
        WHERE attrelid = found.oid
            AND attnum > 0
            AND NOT attisdropped
            AND attnotnull
            AND NOT atthasdef
            AND attidentity = ''
    ),
    ARRAY(
        SELECT relname::TEXT
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid = found.oid AND indisvalid
    ),
    ARRAY(
        SELECT relname::TEXT
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid = found.oid AND NOT indisvalid
    ),
    ARRAY(
        SELECT tgname::TEXT FROM pg_trigger WHERE tgrelid = found.oid AND tgenabled <> 'D'
    )
FROM unnest(:names::TEXT[]) WITH ORDINALITY AS expected (name, number)
LEFT JOIN pg_class AS found
    ON found.relname = expected.name
    AND CASE
        WHEN :schema::TEXT IS NULL THEN pg_table_is_visible(found.oid)
        ELSE found.relnamespace = to_regnamespace(quote_ident(:schema::TEXT))
    END
LEFT JOIN LATERAL (
    SELECT
        CASE WHEN min(part.reltuples) >= 0 THEN sum(part.reltuples)::INT8 END AS rows,
        sum(pg_total_relation_size(part.oid))::INT8 AS bytes
    FROM pg_class AS part
    WHERE part.relkind = 'r'
        AND (
            part.oid = found.oid
            OR part.oid IN (SELECT relid FROM pg_partition_tree(found.oid))
        )
) AS kept ON TRUE
ORDER BY expected.number
""",
)


class CatalogRow(NamedTuple):
    """A row of `CATALOG`, and the table as `setup` creates it."""

    expected: ExpectedTable
    kind: str  # relkind; empty if there is none of the name
    schema: str | None
    rows: int | None
    bytes: int | None
    rights: list[str]
    columns: list[list[str]]  # name and type
    required: list[str]
    indexes: list[str]
    invalid_indexes: list[str]
    triggers: list[str]

    @property
    def name(self) -> str:
        """The name of the table."""
        return self.expected.name

    @property
    def present(self) -> bool:
        """Whether it is a table."""
        return self.kind in TABLE_KINDS

    @property
    def has_columns(self) -> bool:
        """Whether it is a table with the expected columns, and not another of the same name."""
        return self.present and self.expected.columns.items() <= dict(self.columns).items()


class Catalog(NamedTuple):
    """What exists of the tables that a database should have.

    Attributes
    ----------
    parts : set of Part
        The parts of draive that the database has or should have.
    tables : list of CatalogRow
        The tables of these parts, and those of every database.
    """

    parts: Set[Part]
    tables: list[CatalogRow]

    @property
    def schemas(self) -> list[str]:
        """The schemas of the tables that exist: more than one if a search path has several."""
        return sorted({row.schema for row in self.tables if row.present and row.schema is not None})


class ExpectedObject(NamedTuple):
    """A table, or what belongs to one."""

    kind: str
    name: str
    table: str
    migration: str


def read_catalog(schema: str | None, line: Line | None) -> Operation[Catalog]:
    """Return what exists of each table, from the catalog.

    Parameters
    ----------
    schema : str | None
        The schema of the tables; None: the search path.
    line : Line | None
        The line whose tables the database should have; None: that of its tables.
    """
    names = list(dict.fromkeys(table.name for table in (*TABLES, *EMBEDDINGS)))
    return read_rows(
        "inspect the tables", CATALOG(schema=schema, names=names), lambda rows: _catalog(rows, line)
    )


def _catalog(rows: Sequence[Row], line: Line | None) -> Catalog:
    states = {name: state for name, *state in rows}
    found = [CatalogRow(table, *states[table.name]) for table in (*TABLES, *EMBEDDINGS)]
    parts = _present_parts(found) | parts_of(_line_of(found, line))
    return Catalog(
        parts,
        [
            row._replace(expected=_expected(row.expected, parts))
            for row in found
            if is_for(row.expected.migration, parts)
            and (row.present or row.expected not in EMBEDDINGS)
        ],
    )


def _expected(table: ExpectedTable, parts: Set[Part]) -> ExpectedTable:
    """Return a table without the triggers of other parts."""
    triggers = {name: file for name, file in table.triggers.items() if is_for(file, parts)}
    return replace(table, triggers=triggers)


def _present_parts(found: Sequence[CatalogRow]) -> frozenset[Part]:
    """Return the parts of draive whose tables, or one of them, exist."""
    parts = set[Part]()
    for row in found:
        if row.has_columns and not row.name.startswith("draive_pg_"):
            if row.expected.migration in PARTS:
                parts.add(PARTS[row.expected.migration])
            if row.expected.optional.keys() & dict(row.columns).keys():
                parts.add("configuration_names")
    return frozenset(parts)


def _line_of(found: Sequence[CatalogRow], chosen: Line | None) -> Line | None:
    """Return the chosen line, or that of the tables; None if they are of several."""
    facts = {
        row.name: dict(row.columns).get("identifier")
        for row in found
        if row.present and not row.name.startswith("draive_pg_")
    }
    present = _present_parts(found)
    if chosen is None and "memories" in facts and present & {"conversation_memory", "agent_memory"}:
        return None
    if chosen is None and present == frozenset[Part]({"instructions"}):
        return LINE_89
    return detect(facts, chosen)


def parts_of(line: Line | None) -> frozenset[Part]:
    """Return the parts of draive that a database of a line has."""
    if line is None:
        return frozenset()
    names: set[Part] = {"configuration_names"} if line.named_configurations else set()
    return frozenset({*line.stores, line.prompts, *names})


def missing_objects(found: CatalogRow) -> list[ExpectedObject]:
    """Return what a table lacks: itself, or columns, indexes and triggers."""
    table = found.expected
    if not found.present:
        return [ExpectedObject("table", table.name, table.name, table.migration)]
    expected = (
        ("column", dict.fromkeys(table.columns, table.migration), dict(found.columns)),
        ("index", table.indexes, found.indexes),
        ("trigger", table.triggers, found.triggers),
    )
    return [
        ExpectedObject(kind, name, table.name, migration)
        for kind, objects, present in expected
        for name, migration in objects.items()
        if name not in present
    ]


def name_conflicts(found: Sequence[CatalogRow]) -> list[str]:
    """Return the problems of tables and views that have the name of a table, but are others."""
    other = "use another schema, or rename it"
    return [
        *(
            f"{row.name} is {KINDS.get(row.kind, 'not a table')}: {other}"
            for row in found
            if row.kind and not row.present
        ),
        *(
            f"{each.table}: column {each.name} is missing: the table is not one of draive: {other}"
            for row in found
            if row.present and not row.name.startswith("draive_pg_")
            for each in missing_objects(row)
            if each.kind == "column"
        ),
        *(
            f"{row.name}: column {column} is required, and not written by draive: {other}"
            for row in found
            for column in row.required
            if row.present and column not in {**row.expected.columns, **row.expected.optional}
        ),
    ]
