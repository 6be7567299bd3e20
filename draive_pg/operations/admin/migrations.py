"""The tables: the numbered SQL files of ``schema/``, each applied once, in order.

Every file can be run again without harm (``IF NOT EXISTS``), so files that somebody applied by
psql, and tables that draive's users made by hand, are adopted as they are.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

from draive_pg.errors import SchemaInvalid
from draive_pg.operations.operation import Operation, Statement, Steps, advisory_lock, workflow

__all__ = ("Migration", "extended", "migrations", "setup")

STATE = """
SELECT
    $1::TEXT IS NULL OR to_regnamespace(quote_ident($1::TEXT)) IS NOT NULL,
    to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || 'draive_pg_migrations') IS NOT NULL
"""

# The last of the tables of our own, for they are made in order.
EXTENDED = """
SELECT to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || 'draive_pg_labels') IS NOT NULL
"""

APPLIED = "SELECT version, checksum FROM {schema}.draive_pg_migrations"

# Checks the right to create a schema even where it exists, so it is sent only where it does not.
CREATE_SCHEMA = "CREATE SCHEMA IF NOT EXISTS {schema}"

# Until the transaction ends, and no longer: the files name no schema.
SEARCH = "SELECT set_config('search_path', quote_ident($1::TEXT), TRUE)"

RECORD = """
INSERT INTO {schema}.draive_pg_migrations (version, name, checksum)
VALUES ($1::INTEGER, $2::TEXT, $3::TEXT)
ON CONFLICT (version) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of ``schema/``."""

    version: int
    name: str
    path: Path
    sql: LiteralString
    checksum: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all migrations in order."""
    package = Path(__file__).parents[2]
    # Beside the package in a checkout, inside it where it was installed.
    folders = (package / "schema", package.parent / "schema")
    folder = next(folder for folder in folders if folder.is_dir())
    return tuple(_read(path) for path in sorted(folder.glob("[0-9]*.sql")))


@workflow
def setup(schema: str | None) -> Steps[tuple[str, ...]]:
    """Make or upgrade the tables; the names of the migrations that were applied."""
    exists, recorded = yield state(schema)
    if schema is not None and not exists:
        yield create_schema(schema)
    missing = pending((yield applied()) if recorded else {})
    for migration in missing:
        yield apply(migration, schema)
    return tuple(migration.name for migration in missing)


def state(schema: str | None) -> Operation[tuple[bool, bool]]:
    """Whether the schema exists, and whether migrations were ever recorded in it."""
    return Operation(
        name="setup: look for the tables",
        statements=(Statement(STATE, (schema,)),),
        reads=True,
        decode=lambda rows: (rows[0][0], rows[0][1]),
    )


def extended(schema: str | None) -> Operation[bool]:
    """Whether there are tables of our own beside the seed's."""
    return Operation(
        name="look for the tables of draive_pg",
        statements=(Statement(EXTENDED, (schema,)),),
        reads=True,
        decode=lambda rows: rows[0][0],
    )


def applied() -> Operation[dict[int, str]]:
    """The checksums of the recorded migrations by their version."""
    return Operation(
        name="setup: read the applied migrations",
        statements=(Statement(APPLIED),),
        reads=True,
        decode=lambda rows: dict(cast("list[tuple[int, str]]", rows)),
    )


def pending(applied: Mapping[int, str]) -> tuple[Migration, ...]:
    """Return the migrations that are not recorded yet.

    Raises
    ------
    SchemaInvalid
        If one was recorded with another text than ours.
    """
    for migration in migrations():
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise SchemaInvalid(
                f"setup: migration {migration.name} was applied with another text than this "
                "version of draive_pg has; use the version that applied it, or a newer one"
            )
    return tuple(migration for migration in migrations() if migration.version not in applied)


def create_schema(schema: str) -> Operation[None]:
    """Make a schema if it is not there."""
    return Operation(
        name=f"setup: create schema {schema!r:.80}",
        statements=(advisory_lock("draive_pg/setup"), Statement(CREATE_SCHEMA)),
    )


def apply(migration: Migration, schema: str | None) -> Operation[None]:
    """Run one migration and record it, while no other process does."""
    return Operation(
        name=f"setup: apply {migration.name}",
        statements=(
            advisory_lock("draive_pg/setup"),
            *(() if schema is None else (Statement(SEARCH, (schema,)),)),
            Statement(migration.sql, None),
            Statement(RECORD, (migration.version, migration.name, migration.checksum)),
        ),
    )


def _read(path: Path) -> Migration:
    sql = path.read_text(encoding="utf-8")
    return Migration(
        version=int(path.name.partition("_")[0]),
        name=path.stem,
        path=path,
        sql=cast("LiteralString", sql),  # part of this package, as a literal is
        checksum=hashlib.sha256(sql.encode()).hexdigest(),
    )
