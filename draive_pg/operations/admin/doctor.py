"""The state of a database, for whoever has to put it right: it is read, and nothing is made.

What should be there is what the files of ``schema/`` make.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple

from draive_pg.models import AppliedMigration, Diagnosis, Listener, Records, TableState
from draive_pg.operations.admin.migrations import Migration, migrations
from draive_pg.operations.operation import Operation, Row, Statement, Steps, workflow

__all__ = ("diagnose", "wanted")

STATES = ("applied", "missing", "changed", "unknown")

OLDEST = 150000  # PostgreSQL 15, as server_version_num counts

SERVER = """
SELECT
    current_setting('server_version'),
    current_setting('server_version_num')::INTEGER,
    current_database()::TEXT,
    current_user::TEXT,
    coalesce($1::TEXT, current_schema()::TEXT),
    pg_is_in_recovery(),
    current_setting('transaction_read_only')::BOOLEAN,
    pg_database_size(current_database()),
    to_regnamespace(quote_ident(coalesce($1::TEXT, current_schema()::TEXT))) IS NOT NULL
"""

# By the catalog, which everybody may read, also where a role may not enter the schema. What is
# kept in partitions is counted with its table.
TABLES = """
SELECT
    wanted.name,
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
FROM unnest($2::TEXT[]) WITH ORDINALITY AS wanted (name, number)
LEFT JOIN pg_class AS found
    ON found.relname = wanted.name
    AND found.relkind IN ('r', 'p')
    AND CASE
        WHEN $1::TEXT IS NULL THEN pg_table_is_visible(found.oid)
        ELSE found.relnamespace = to_regnamespace(quote_ident($1::TEXT))
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
ORDER BY wanted.number
"""

APPLIED = "SELECT version, name, checksum, applied FROM {schema}.draive_pg_migrations"

# The sessions whose statements this role may see; LISTEN is the only one that a listener sends.
LISTENERS = """
SELECT pid, usename::TEXT, application_name, backend_start
FROM pg_stat_activity
WHERE datname = current_database() AND query = 'LISTEN draive_pg'
ORDER BY backend_start, pid
"""


class Found(NamedTuple):
    """A row of `TABLES`."""

    name: str
    present: bool
    rows: int | None
    bytes: int | None
    rights: list[str]
    columns: list[str]
    demanded: list[str]
    indexes: list[str]
    triggers: list[str]


class Wanted(NamedTuple):
    """Something that a file of ``schema/`` makes: a table, or what belongs to one."""

    kind: str
    name: str
    table: str
    migration: str


@cache
def wanted() -> tuple[Wanted, ...]:
    """Return all that should be there, each with the last file that makes it."""
    found: list[Wanted] = []
    for migration in migrations():
        sql, file = migration.sql, migration.name
        for table, body in re.findall(r"(?ms)^CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)^\)", sql):
            found.append(Wanted("table", table, table, file))
            columns = re.findall(r"(?m)^ {4}([a-z]\w*) [A-Z]", body)
            found += [Wanted("column", name, table, file) for name in columns]
        indexes = re.findall(r"INDEX IF NOT EXISTS (\w+)\s+ON (\w+)", sql)
        found += [Wanted("index", name, table, file) for name, table in indexes]
        triggers = re.findall(r"REPLACE TRIGGER (\w+)\s+\w+ [\w ]+ ON (\w+)", sql)
        found += [Wanted("trigger", name, table, file) for name, table in triggers]
    return tuple({each[:3]: each for each in found}.values())


@workflow
def diagnose(schema: str | None) -> Steps[Diagnosis]:
    """Look at the server, the tables, the migrations and the listeners."""
    server = yield _reading("the server", Statement(SERVER, (schema,)))
    version, number, database, role, place, standby, read_only, size, exists = server[0]
    names = [each.name for each in wanted() if each.kind == "table"]
    rows = yield _reading("the tables", Statement(TABLES, (schema, names)))
    found = [Found(*row) for row in rows]
    # Its history is that of nothing where it is not there, and nobody knows where it is hidden.
    recorded = next(table for table in found if table.name == "draive_pg_migrations")
    readable = "SELECT" in recorded.rights
    applied = (yield _reading("the migrations", Statement(APPLIED))) if readable else ()
    history = _migrations(applied) if readable or not recorded.present else []
    listeners = yield _reading("the listeners", Statement(LISTENERS))
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


def _reading(what: str, statement: Statement) -> Operation[Sequence[Row]]:
    return Operation(
        name=f"diagnose: look at {what}",
        statements=(statement,),
        reads=True,
        decode=lambda rows: rows,
    )


def _table(found: Found) -> TableState:
    return TableState(
        name=found.name,
        present=found.present,
        rows=found.rows,
        bytes=found.bytes,
        rights=tuple(found.rights),
        missing=tuple(f"{each.kind} {each.name}" for each in _missing(found)),
    )


def _missing(found: Found) -> list[Wanted]:
    ours = [each for each in wanted() if each.table == found.name]
    if not found.present:
        return [each for each in ours if each.kind == "table"]
    there = {
        *(("table", found.name), *(("column", name) for name in found.columns)),
        *(("index", name) for name in found.indexes),
        *(("trigger", name) for name in found.triggers),
    }
    return [each for each in ours if (each.kind, each.name) not in there]


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
    found: Sequence[Found],
    history: Sequence[AppliedMigration],
    schema: str | None,
    *,
    exists: bool,
) -> list[str]:
    if not exists:
        where = "no schema in the search path" if schema is None else f"no schema {schema!r:.80}"
        return [f"there is {where}: name another, or make it and the tables with setup"]
    files = {state: [each.name for each in history if each.state == state] for state in STATES}
    missing = [each for table in found for each in _missing(table)]
    paths = {migration.name: migration.path for migration in migrations()}
    problems: list[str] = []
    if files["missing"]:
        problems.append(
            f"not applied: {', '.join(files['missing'])}: run setup, as the owner of the tables"
        )
    problems += [
        f"{each.table}: its {each.kind} {each.name} is missing, though {each.migration} was "
        f"applied: apply {paths[each.migration]} again by psql in that schema, which does no harm"
        for each in missing
        if each.migration not in files["missing"] and each.kind != "column"
    ]
    problems += [
        f"{name} was applied with another text than this version has: use the version of draive_pg "
        "that applied it, or a newer one"
        for name in files["changed"]
    ]
    problems += [f"{name} is of a newer draive_pg: upgrade this one" for name in files["unknown"]]
    return problems


def _problems_of_columns(found: Sequence[Found]) -> list[str]:
    ours = {(each.kind, each.name, each.table) for each in wanted()}
    strange = "it is the table of something else than draive 0.89; use another schema"
    return [
        *(
            f"{table.name}: column {each.name} is missing: {strange}"
            for table in found
            for each in _missing(table)
            if each.kind == "column"
        ),
        *(
            f"{table.name}: column {column} must be given a value, which nobody gives: {strange}"
            for table in found
            for column in table.demanded
            if ("column", column, table.name) not in ours
        ),
    ]


def _problems_of_rights(found: Sequence[Found], role: str) -> list[str]:
    closed = [table.name for table in found if table.present and "SELECT" not in table.rights]
    if not closed:
        return []
    return [
        f"role {role!r:.80} may not read {', '.join(closed)}: grant it USAGE on the schema, and "
        "SELECT on the tables"
    ]
