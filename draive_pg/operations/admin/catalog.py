"""The tables that `setup` creates, compared with the catalog of a database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import LiteralString, NamedTuple

from draive_pg.operations.operation import Operation, Query

TABLE_KINDS = ("r", "p")  # relkind of a table, and of a partitioned one
KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence"}


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


NOTIFY_TRIGGERS: dict[str, str] = dict.fromkeys(
    ("draive_pg_notify", "draive_pg_notify_truncate"), "008_notifications"
)

REMOVAL_TRIGGERS: dict[str, str] = dict.fromkeys(
    ("draive_pg_record_removal", "draive_pg_record_truncate"), "010_removals"
)

AUDIT_TRIGGERS = ("draive_pg_audit_removal", "draive_pg_audit_truncate")

REVISION_COLUMNS: dict[str, str] = {
    "name": "text",
    "created": "timestamptz",
    "author": "text",
    "message": "text",
}

LABEL_COLUMNS: dict[str, str] = {
    "name": "text",
    "label": "text",
    "revision": "timestamptz",
    "moved": "timestamptz",
    "author": "text",
    "message": "text",
    "digest": "text",
}

REMOVAL_COLUMNS: dict[str, str] = {"name": "text", "created": "timestamptz"}

REMOVAL_TABLES: tuple[LiteralString, ...] = (
    "draive_pg_removals",
    "draive_pg_configuration_removals",
)

REMOVED_COLUMNS: dict[str, str] = {
    "kind": "text",
    **REMOVAL_COLUMNS,
    "removed": "timestamptz",
    "role": "text",
    "author": "text",
    "message": "text",
    "digest": "text",
    "revision_author": "text",
    "revision_message": "text",
    "content": "jsonb",
}

TABLES = (
    ExpectedTable(
        "draive_pg_migrations",
        "000_migrations",
        {"version": "int4", "name": "text", "checksum": "text", "applied": "timestamptz"},
    ),
    ExpectedTable(
        "configurations",
        "001_configurations",
        {"identifier": "text", "content": "jsonb", "created": "timestamptz"},
        triggers=NOTIFY_TRIGGERS | REMOVAL_TRIGGERS | dict.fromkeys(AUDIT_TRIGGERS, "012_audit"),
    ),
    ExpectedTable(
        "instructions",
        "002_instructions",
        {
            "name": "text",
            "description": "text",
            "content": "text",
            "arguments": "jsonb",
            "meta": "jsonb",
            "created": "timestamptz",
        },
        triggers=NOTIFY_TRIGGERS
        | REMOVAL_TRIGGERS
        | dict.fromkeys(AUDIT_TRIGGERS, "020_instruction_audit"),
    ),
    ExpectedTable("memories", "003_memories", {"identifier": "text", "created": "timestamptz"}),
    ExpectedTable(
        "memories_variables",
        "003_memories",
        {"identifier": "text", "variables": "jsonb", "created": "timestamptz"},
        indexes={"memories_variables_identifier_created": "004_memory_indexes"},
    ),
    ExpectedTable(
        "memories_elements",
        "003_memories",
        {"identifier": "text", "content": "jsonb", "created": "timestamptz"},
        indexes={"memories_elements_identifier_created": "004_memory_indexes"},
    ),
    ExpectedTable("draive_pg_revisions", "006_revisions", REVISION_COLUMNS),
    ExpectedTable(
        "draive_pg_labels",
        "007_labels",
        LABEL_COLUMNS,
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
        triggers=dict.fromkeys(NOTIFY_TRIGGERS, "009_configuration_labels"),
        grants_of="draive_pg_labels",
    ),
    *(
        ExpectedTable(name, "010_removals", REMOVAL_COLUMNS, grants_of="draive_pg_revisions")
        for name in REMOVAL_TABLES
    ),
    ExpectedTable(
        "draive_pg_folder_bases",
        "011_folder_bases",
        {
            "documents": "text",
            "name": "text",
            "number": "int8",
            "revision": "timestamptz",
            "digest": "text",
            "stored": "text",
            "labels": "jsonb",
            "recorded": "timestamptz",
        },
        grants_of="draive_pg_revisions",
    ),
    ExpectedTable(
        "draive_pg_removed",
        "012_audit",
        REMOVED_COLUMNS,
        indexes={"draive_pg_removed_kind_name_created": "012_audit"},
        grants_of="draive_pg_revisions",
    ),
)

# Every role may read the catalog, even without a privilege on the schema. Partitions are counted
# with their table.
CATALOG = Query(
    "setup.tables",
    """
SELECT
    expected.name,
    coalesce(found.relkind::TEXT, ''),
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
    """A row of `CATALOG`."""

    name: str
    kind: str  # relkind; empty if there is none of the name
    rows: int | None
    bytes: int | None
    rights: list[str]
    columns: list[list[str]]  # name and type
    required: list[str]
    indexes: list[str]
    invalid_indexes: list[str]
    triggers: list[str]

    @property
    def present(self) -> bool:
        """Whether it is a table."""
        return self.kind in TABLE_KINDS

    @property
    def expected(self) -> ExpectedTable:
        """The table of that name as `setup` creates it."""
        return next(table for table in TABLES if table.name == self.name)


class ExpectedObject(NamedTuple):
    """A table, or what belongs to one."""

    kind: str
    name: str
    table: str
    migration: str


def read_catalog(schema: str | None) -> Operation[list[CatalogRow]]:
    """Return what exists of each table, from the catalog."""
    return Operation(
        name="inspect the tables",
        statements=(CATALOG(schema=schema, names=[table.name for table in TABLES]),),
        read_only=True,
        decode=lambda rows: [CatalogRow(*row) for row in rows],
    )


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
            f"{each.table}: column {each.name} is missing: the table is not one of draive 0.89: "
            f"{other}"
            for row in found
            if row.present and not row.name.startswith("draive_pg_")
            for each in missing_objects(row)
            if each.kind == "column"
        ),
        *(
            f"{row.name}: column {column} is required, and not written by draive: {other}"
            for row in found
            for column in row.required
            if row.present and column not in row.expected.columns
        ),
    ]
