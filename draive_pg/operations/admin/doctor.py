"""Diagnosis of a database: compares its tables with those that the files of ``schema/`` create."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from draive_pg.models.admin import AppliedMigration, Diagnosis, Listener, TableState
from draive_pg.models.record import Records
from draive_pg.operations.admin.migrations import APPLIED, Migration, migrations
from draive_pg.operations.operation import Operation, Query, Row, Statement, Steps, workflow


@dataclass(frozen=True, slots=True)
class ExpectedTable:
    """A table that `setup` creates.

    Attributes
    ----------
    name : str
        Its name.
    migration : str
        The file of ``schema/`` that creates it.
    columns : tuple of str
        Its columns.
    indexes, triggers : dict
        The names of its indexes, beside the primary key, and of its triggers, each with the last
        file that creates it.
    """

    name: str
    migration: str
    columns: tuple[str, ...]
    indexes: dict[str, str] = field(default_factory=dict[str, str])
    triggers: dict[str, str] = field(default_factory=dict[str, str])


NOTIFY: dict[str, str] = dict.fromkeys(
    ("draive_pg_notify", "draive_pg_notify_truncate"), "008_notifications"
)

RECORD: dict[str, str] = dict.fromkeys(
    ("draive_pg_record_removal", "draive_pg_record_truncate"), "010_removals"
)

TABLES = (
    ExpectedTable(
        "draive_pg_migrations", "000_migrations", ("version", "name", "checksum", "applied")
    ),
    ExpectedTable(
        "configurations",
        "001_configurations",
        ("identifier", "content", "created"),
        triggers=NOTIFY | RECORD,
    ),
    ExpectedTable(
        "instructions",
        "002_instructions",
        ("name", "description", "content", "arguments", "meta", "created"),
        triggers=NOTIFY | RECORD,
    ),
    ExpectedTable("memories", "003_memories", ("identifier", "created")),
    ExpectedTable(
        "memories_variables",
        "003_memories",
        ("identifier", "variables", "created"),
        indexes={"memories_variables_identifier_created": "004_memory_indexes"},
    ),
    ExpectedTable(
        "memories_elements",
        "003_memories",
        ("identifier", "content", "created"),
        indexes={"memories_elements_identifier_created": "004_memory_indexes"},
    ),
    ExpectedTable("draive_pg_revisions", "006_revisions", ("name", "created", "author", "message")),
    ExpectedTable(
        "draive_pg_labels",
        "007_labels",
        ("name", "label", "revision", "moved", "author", "message", "digest"),
        triggers=NOTIFY,
    ),
    ExpectedTable(
        "draive_pg_configuration_revisions",
        "009_configuration_labels",
        ("name", "created", "author", "message"),
    ),
    ExpectedTable(
        "draive_pg_configuration_labels",
        "009_configuration_labels",
        ("name", "label", "revision", "moved", "author", "message", "digest"),
        triggers=dict.fromkeys(NOTIFY, "009_configuration_labels"),
    ),
    ExpectedTable("draive_pg_removals", "010_removals", ("name", "created")),
    ExpectedTable("draive_pg_configuration_removals", "010_removals", ("name", "created")),
)

STATES = ("applied", "missing", "changed", "unknown")

OLDEST = 150000  # PostgreSQL 15, as server_version_num counts

SERVER = Query(
    "doctor.server",
    """
SELECT
    current_setting('server_version'),
    current_setting('server_version_num')::INTEGER,
    current_database()::TEXT,
    current_user::TEXT,
    coalesce(:schema::TEXT, current_schema()::TEXT),
    pg_is_in_recovery(),
    current_setting('transaction_read_only')::BOOLEAN,
    pg_database_size(current_database()),
    to_regnamespace(quote_ident(coalesce(:schema::TEXT, current_schema()::TEXT))) IS NOT NULL
""",
)

# From the catalog, which every role may read, even without a privilege on the schema. Partitions
# are counted with their table.
STATE = Query(
    "doctor.tables",
    """
SELECT
    expected.name,
    found.oid IS NOT NULL,
    kept.rows,
    kept.bytes,
    ARRAY(
        SELECT kind
        FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS kind
        WHERE has_schema_privilege(found.relnamespace, 'USAGE')
            AND has_table_privilege(found.oid, kind)
    ),
    ARRAY(
        SELECT attname::TEXT
        FROM pg_attribute
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
        SELECT tgname::TEXT FROM pg_trigger WHERE tgrelid = found.oid AND tgenabled <> 'D'
    )
FROM unnest(:names::TEXT[]) WITH ORDINALITY AS expected (name, number)
LEFT JOIN pg_class AS found
    ON found.relname = expected.name
    AND found.relkind IN ('r', 'p')
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

# Only sessions whose statements this role may see; a listener sends no other statement.
LISTENERS = Query(
    "doctor.listeners",
    """
SELECT pid, usename::TEXT, application_name, backend_start
FROM pg_stat_activity
WHERE datname = current_database() AND query = 'LISTEN draive_pg'
ORDER BY backend_start, pid
""",
)


class CatalogRow(NamedTuple):
    """A row of `STATE`."""

    name: str
    present: bool
    rows: int | None
    bytes: int | None
    rights: list[str]
    columns: list[str]
    required: list[str]
    indexes: list[str]
    triggers: list[str]


class ExpectedObject(NamedTuple):
    """A table, or what belongs to one."""

    kind: str
    name: str
    table: str
    migration: str


@workflow
def diagnose(schema: str | None) -> Steps[Diagnosis]:
    """Inspect the server, the tables, the migrations and the listeners; change nothing."""
    server = yield _read("the server", SERVER(schema=schema))
    version, number, database, role, place, standby, read_only, size, exists = server[0]
    names = [table.name for table in TABLES]
    rows = yield _read("the tables", STATE(schema=schema, names=names))
    found = [CatalogRow(*row) for row in rows]
    # Without the table nothing is applied; if the role may not read it, that is not known.
    recorded = next(table for table in found if table.name == "draive_pg_migrations")
    readable = "SELECT" in recorded.rights
    applied = (yield _read("the migrations", APPLIED())) if readable else ()
    history = _migrations(applied) if readable or not recorded.present else []
    listeners = yield _read("the listeners", LISTENERS())
    return Diagnosis(
        version=version,
        database=database,
        role=role,
        schema=place,
        standby=standby,
        read_only=read_only,
        bytes=size,
        migrations=Records(AppliedMigration, history),
        tables=Records(TableState, map(_table, found)),
        listeners=Records(Listener, (Listener(*row) for row in listeners)),
        problems=(
            *_problems_of_server(version, number),
            *_problems_of_tables(found, history, place, exists=exists),
            *_problems_of_columns(found),
            *_problems_of_rights(found, role),
        ),
    )


def _read(what: str, statement: Statement) -> Operation[Sequence[Row]]:
    return Operation(
        name=f"diagnose: inspect {what}",
        statements=(statement,),
        read_only=True,
        decode=lambda rows: rows,
    )


def _table(found: CatalogRow) -> TableState:
    return TableState(
        name=found.name,
        present=found.present,
        rows=found.rows,
        bytes=found.bytes,
        rights=tuple(found.rights),
        missing=tuple(f"{each.kind} {each.name}" for each in _missing(found)),
    )


def _missing(found: CatalogRow) -> list[ExpectedObject]:
    table = next(table for table in TABLES if table.name == found.name)
    if not found.present:
        return [ExpectedObject("table", table.name, table.name, table.migration)]
    expected = (
        ("column", dict.fromkeys(table.columns, table.migration), found.columns),
        ("index", table.indexes, found.indexes),
        ("trigger", table.triggers, found.triggers),
    )
    return [
        ExpectedObject(kind, name, table.name, migration)
        for kind, objects, present in expected
        for name, migration in objects.items()
        if name not in present
    ]


def _migrations(applied: Sequence[Row]) -> list[AppliedMigration]:
    recorded = {version: (name, checksum, when) for version, name, checksum, when in applied}
    ours = {migration.version: migration for migration in migrations()}
    return [
        _migration(ours.get(version), *recorded.get(version, (None, None, None)))
        for version in sorted(ours.keys() | recorded.keys())
    ]


def _migration(
    ours: Migration | None, name: str | None, checksum: str | None, applied: datetime | None
) -> AppliedMigration:
    if ours is None:
        return AppliedMigration(name or "", "unknown", applied)
    if checksum is None:
        return AppliedMigration(ours.name, "missing", None)
    state = "applied" if checksum == ours.checksum else "changed"
    return AppliedMigration(ours.name, state, applied)


def _problems_of_server(version: str, number: int) -> list[str]:
    if number >= OLDEST:
        return []
    return [f"PostgreSQL {version} is older than 15: use a newer server"]


def _problems_of_tables(
    found: Sequence[CatalogRow],
    history: Sequence[AppliedMigration],
    schema: str | None,
    *,
    exists: bool,
) -> list[str]:
    if not exists:
        where = "no schema in the search path" if schema is None else f"no schema {schema!r:.80}"
        return [f"there is {where}: use another, or create it and the tables with setup"]
    files = {state: [each.name for each in history if each.state == state] for state in STATES}
    missing = [each for table in found for each in _missing(table)]
    paths = {migration.name: migration.path for migration in migrations()}
    problems: list[str] = []
    if files["missing"]:
        problems.append(
            f"not applied: {', '.join(files['missing'])}: run setup, as the owner of the tables"
        )
    problems += [
        f"{each.table}: {each.kind} {each.name} is missing, although {each.migration} was applied: "
        f"run {paths[each.migration]} again with psql in that schema, which is harmless"
        for each in missing
        if each.migration not in files["missing"] and each.kind != "column"
    ]
    problems += [
        f"{name} was applied with another text than that of this version: use the version of "
        "draive_pg that applied it, or a newer one"
        for name in files["changed"]
    ]
    problems += [f"{name} was applied by a newer draive_pg: upgrade" for name in files["unknown"]]
    return problems


def _problems_of_columns(found: Sequence[CatalogRow]) -> list[str]:
    columns = {table.name: table.columns for table in TABLES}
    foreign = "the table is not one of draive 0.89; use another schema"
    return [
        *(
            f"{table.name}: column {each.name} is missing: {foreign}"
            for table in found
            for each in _missing(table)
            if each.kind == "column"
        ),
        *(
            f"{table.name}: column {column} is required, and not written by draive: {foreign}"
            for table in found
            for column in table.required
            if column not in columns[table.name]
        ),
    ]


def _problems_of_rights(found: Sequence[CatalogRow], role: str) -> list[str]:
    closed = [table.name for table in found if table.present and "SELECT" not in table.rights]
    if not closed:
        return []
    return [
        f"role {role!r:.80} may not read {', '.join(closed)}: grant it USAGE on the schema, and "
        "SELECT on the tables"
    ]
