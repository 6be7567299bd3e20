"""Migrations: the numbered SQL files of ``schema/``, each applied once, in order.

Every file is idempotent (``IF NOT EXISTS``), so files that were applied with psql, and tables that
draive's users created by hand, are adopted.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

from draive_pg.errors import SchemaInvalid
from draive_pg.lines.line import Line
from draive_pg.models.admin import AppliedMigrations
from draive_pg.operations.admin.catalog import (
    TABLES,
    Catalog,
    Part,
    is_for,
    missing_objects,
    name_conflicts,
    parts_of,
    read_catalog,
)
from draive_pg.operations.admin.citus import HAS_CITUS, is_worker
from draive_pg.operations.operation import (
    Operation,
    Query,
    Statement,
    Steps,
    advisory_lock,
    read_rows,
    transactional,
    workflow,
)

STATE = Query(
    "setup.state",
    f"""
SELECT
    CASE
        WHEN :schema::TEXT IS NULL THEN current_schema() IS NOT NULL
        ELSE to_regnamespace(quote_ident(:schema::TEXT)) IS NOT NULL
    END,
    current_setting('search_path'),
    {HAS_CITUS}
""",
)

MISSING_TABLES = Query(
    "setup.missing_tables",
    """
SELECT name
FROM unnest(:tables::TEXT[]) AS name
WHERE to_regclass(coalesce(quote_ident(:schema::TEXT) || '.', '') || name) IS NULL
""",
)

APPLIED = Query(
    "setup.applied", "SELECT version, name, checksum, applied FROM {schema}.draive_pg_migrations"
)

# Needs the privilege to create a schema even if it exists, so it is sent only if it does not.
CREATE_SCHEMA = Query("setup.create_schema", "CREATE SCHEMA IF NOT EXISTS {schema}")

# The files name no schema.
SET_SEARCH_PATH = Query(
    "setup.set_search_path",
    "SELECT set_config('search_path', quote_ident(:schema::TEXT), TRUE)",
)

# The transaction may be one of the caller, with statements after setup.
RESTORE_SEARCH_PATH = Query(
    "setup.restore_search_path", "SELECT set_config('search_path', :path::TEXT, TRUE)"
)

RECORD = Query(
    "setup.record",
    """
INSERT INTO {schema}.draive_pg_migrations (version, name, checksum)
VALUES (:version::INTEGER, :name::TEXT, :checksum::TEXT)
ON CONFLICT (version) DO NOTHING
""",
)

PAIRS: LiteralString = ", ".join(
    f"('{table.name}', '{table.grants_of}')" for table in TABLES if table.grants_of is not None
)

# A table without an ACL is new: neither grants nor default privileges were ever applied to it.
COPY_GRANTS = Query(
    "setup.copy_grants",
    f"""
DO $$
DECLARE
    privilege RECORD;
BEGIN
    FOR privilege IN
        SELECT pair.created, granted.privilege_type AS name, granted.grantee
        FROM (VALUES {PAIRS}) AS pair (created, older)
        JOIN pg_class AS new ON new.oid = to_regclass(pair.created) AND new.relacl IS NULL
        JOIN pg_class AS older ON older.oid = to_regclass(pair.older)
        CROSS JOIN aclexplode(older.relacl) AS granted
        WHERE granted.grantee <> older.relowner
    LOOP
        EXECUTE format(
            'GRANT %s ON %I TO %s',
            privilege.name,
            privilege.created,
            CASE privilege.grantee WHEN 0 THEN 'PUBLIC' ELSE privilege.grantee::REGROLE::TEXT END
        );
    END LOOP;
END
$$
""",
)

DROP_INDEX = {
    index: Query(f"setup.drop_{index}", f"DROP INDEX IF EXISTS {{schema}}.{index}")
    for table in TABLES
    for index in table.indexes
}


COMMENT = re.compile(r"--[^\n]*")
STATEMENT = re.compile(rf"(?:{COMMENT.pattern}|'[^']*'|\$\$.*?\$\$|[^;])+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of ``schema/``."""

    version: int
    name: str
    path: Path
    sql: LiteralString
    checksum: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What `setup` is to do.

    Attributes
    ----------
    missing : sequence of Migration
        The migrations to apply, at least one.
    schema : str | None
        The schema of the tables; None: the first of the search path.
    search_path : str
        The search path of the connection.
    create_schema : bool
        Whether to create the schema.
    replace : sequence of str
        Indexes to drop first: an interrupted CREATE INDEX CONCURRENTLY left them invalid.
    """

    missing: Sequence[Migration]
    schema: str | None
    search_path: str
    create_schema: bool
    replace: Sequence[str]


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all migrations in order."""
    package = Path(__file__).parents[2]
    # Beside the package in a checkout, inside it where it was installed.
    folders = (package / "schema", package.parent / "schema")
    folder = next(folder for folder in folders if folder.is_dir())
    return tuple(_read(path) for path in sorted(folder.glob("[0-9]*.sql")))


def migrations_for(line: Line) -> tuple[Migration, ...]:
    """Return the migrations that `setup` applies to an empty database for a line."""
    return _wanted(parts_of(line))


def _wanted(parts: Set[Part]) -> tuple[Migration, ...]:
    return tuple(each for each in migrations() if is_for(each.name, parts))


@workflow
def setup(schema: str | None, line: Line | None = None) -> Steps[AppliedMigrations]:
    """Create, upgrade or repair the tables, and return the names of the migrations applied now.

    These are the tables of the line, of every other table of draive that exists, and our own.

    They are applied in one transaction, after a check that no table of others has the same name.
    Without a schema, new tables are created where existing ones are, which need not be the first
    schema of the search path.
    """
    if (yield from _plan(schema, line)) is None:
        return AppliedMigrations()
    return (yield _apply(schema, line))


@transactional
def _apply(schema: str | None, line: Line | None) -> Steps[AppliedMigrations]:
    """Apply the pending migrations, which another process may have done before the lock is free."""
    yield Operation("setup: wait for others", (advisory_lock("draive_pg/setup"),))
    plan = yield from _plan(schema, line)
    if plan is None:
        return AppliedMigrations()
    yield apply(plan)
    return AppliedMigrations(migration.name for migration in plan.missing)


def _plan(schema: str | None, line: Line | None) -> Steps[Plan | None]:
    """Return what is to be applied, if anything."""
    # First: it reads pg_class, after which PostgreSQL sees names that others created meanwhile.
    found: Catalog = yield read_catalog(schema, line)
    exists, search_path, has_citus = yield _state(schema)
    if has_citus and (yield is_worker()):
        raise SchemaInvalid(
            "setup: nothing was done: this server is a worker of a Citus cluster: connect to the "
            "coordinator"
        )
    if conflicts := name_conflicts(found.tables):
        raise SchemaInvalid(f"setup: nothing was done: {'; '.join(conflicts)}")
    if len(found.schemas) > 1:
        raise SchemaInvalid(f"setup: nothing was done: {several_schemas(found)}")
    recorded = any(row.present and row.name == "draive_pg_migrations" for row in found.tables)
    missing = pending((yield applied()) if recorded else {}, found)
    if not missing:
        return None
    if schema is None and not exists:
        raise SchemaInvalid(
            "setup: nothing was done: there is no schema in the search path; create it, or name "
            "another one with schema="
        )
    indexes = [name for row in found.tables for name in row.invalid_indexes if name in DROP_INDEX]
    place = next(iter(found.schemas), schema)
    return Plan(missing, place, search_path, create_schema=not exists, replace=indexes)


def several_schemas(found: Catalog) -> str:
    """Return the problem of tables in more than one schema of the search path."""
    names = ", ".join(f"{name!r:.80}" for name in found.schemas)
    return f"the tables are in the schemas {names} of the search path: name one with schema="


def _state(schema: str | None) -> Operation[tuple[bool, str, bool]]:
    """Return whether the schema, or one of the search path, exists, the path, and if of Citus."""
    return read_rows(
        "setup: look for the schema",
        STATE(schema=schema),
        lambda rows: (rows[0][0], rows[0][1], rows[0][2]),
    )


def missing_tables(schema: str | None, tables: Iterable[str]) -> Operation[tuple[str, ...]]:
    """Return the tables that do not exist in a schema, or in the search path for None."""
    return read_rows(
        "look for the tables of draive_pg",
        MISSING_TABLES(schema=schema, tables=list(tables)),
        lambda rows: tuple(row[0] for row in rows),
    )


def applied() -> Operation[dict[int, str]]:
    """Return the checksums of the recorded migrations by version."""
    return read_rows(
        "setup: read the applied migrations",
        APPLIED(),
        lambda rows: {version: checksum for version, _, checksum, _ in rows},
    )


def pending(applied: Mapping[int, str], found: Catalog) -> tuple[Migration, ...]:
    """Return the migrations to apply: all from the first not recorded, or with a missing object.

    Only those for the parts of draive that the database should have are considered.

    Later ones may replace what an earlier one creates, and each can be applied again.

    Raises
    ------
    SchemaInvalid
        If the recorded text of one differs.
    """
    for migration in migrations():
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise SchemaInvalid(
                f"setup: migration {migration.name} was applied with another text than that of "
                "this version; use the version of draive_pg that applied it, or a newer one"
            )
    lost = {
        each.migration
        for row in found.tables
        for each in missing_objects(row)
        if each.kind != "column"
    }
    wanted = _wanted(found.parts)
    done = [each.version in applied and each.name not in lost for each in wanted]
    return wanted[done.index(False) :] if False in done else ()


def apply(plan: Plan) -> Operation[None]:
    """Apply and record migrations."""
    first, last = plan.missing[0].name, plan.missing[-1].name
    return Operation(
        name=f"setup: apply {first}" + (f" to {last}" if last != first else ""),
        statements=(
            *([CREATE_SCHEMA()] if plan.create_schema else []),
            *([] if plan.schema is None else [SET_SEARCH_PATH(schema=plan.schema)]),
            *(DROP_INDEX[name]() for name in plan.replace),
            *(
                statement
                for each in plan.missing
                for statement in (
                    # Citus sends all of a text to the nodes of a table, but runs one statement.
                    *(Statement(part) for part in _statements(each.sql)),
                    RECORD(version=each.version, name=each.name, checksum=each.checksum),
                )
            ),
            COPY_GRANTS(),
            RESTORE_SEARCH_PATH(path=plan.search_path),
        ),
    )


def _statements(script: LiteralString) -> list[LiteralString]:
    """Return the statements of a migration, which has only simple literals and ``$$`` quotes."""
    parts = cast("list[LiteralString]", STATEMENT.findall(script))
    return [part for part in parts if COMMENT.sub("", part).strip()]


def _read(path: Path) -> Migration:
    sql = path.read_text(encoding="utf-8")
    return Migration(
        version=int(path.name.partition("_")[0]),
        name=path.stem,
        path=path,
        sql=cast("LiteralString", sql),  # part of this package, as a literal is
        checksum=hashlib.sha256(sql.encode()).hexdigest(),
    )
