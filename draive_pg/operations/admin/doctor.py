"""Diagnosis of a database: compares its tables with those that the files of ``schema/`` create."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import LiteralString

from draive_pg.display.text import plural
from draive_pg.errors import SchemaInvalid
from draive_pg.lines.line import Line, detect
from draive_pg.models.admin import AppliedMigration, Diagnosis, Listener, TableState, ViewState
from draive_pg.models.record import Records
from draive_pg.operations.admin import citus
from draive_pg.operations.admin.catalog import (
    Catalog,
    CatalogRow,
    Part,
    is_for,
    missing_objects,
    name_conflicts,
    read_catalog,
)
from draive_pg.operations.admin.citus import HAS_CITUS
from draive_pg.operations.admin.migrations import (
    APPLIED,
    Migration,
    migrations,
    several_schemas,
)
from draive_pg.operations.conversations.relations import read_tables
from draive_pg.operations.operation import (
    Operation,
    Query,
    Row,
    Statement,
    Steps,
    Workflow,
    read_rows,
    workflow,
)

STATES = ("applied", "missing", "changed", "unknown")

OLDEST = 150000  # PostgreSQL 15, as server_version_num counts

SERVER = Query(
    "doctor.server",
    f"""
SELECT
    current_setting('server_version'),
    current_setting('server_version_num')::INTEGER,
    current_setting('server_encoding'),
    current_database()::TEXT,
    current_user::TEXT,
    coalesce(:schema::TEXT, current_schema()::TEXT),
    pg_is_in_recovery(),
    current_setting('transaction_read_only')::BOOLEAN,
    pg_database_size(current_database()),
    to_regnamespace(quote_ident(coalesce(:schema::TEXT, current_schema()::TEXT))) IS NOT NULL,
    {HAS_CITUS}
""",
)

# Schemas of this database with the tables, where the search path or the option names another.
ELSEWHERE = Query(
    "doctor.elsewhere",
    """
SELECT nspname::TEXT
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relname = 'draive_pg_migrations' AND relkind IN ('r', 'p')
ORDER BY nspname
LIMIT 5
""",
)

MAX_INSPECTED = 100_000  # rows of a table that are tried


def _unreadable(table: LiteralString, condition: LiteralString) -> Query:
    return Query(
        f"doctor.unreadable_{table}",
        f"""
SELECT count(*), min(coalesce(
    to_jsonb(inspected) ->> '{"name" if table == "instructions" else "identifier"}',
    to_jsonb(inspected) ->> 'memories'
))
FROM (SELECT * FROM {{schema}}.{table} LIMIT :limit::INTEGER) AS inspected
WHERE {condition} OR NOT isfinite(created)
""",
    )


UNREADABLE = {
    "configurations": _unreadable("configurations", "jsonb_typeof(content) <> 'object'"),
    "instructions": _unreadable(
        "instructions", "jsonb_typeof(arguments) <> 'array' OR jsonb_typeof(meta) <> 'object'"
    ),
    "templates": _unreadable(
        "templates", "jsonb_typeof(variables) <> 'object' OR jsonb_typeof(meta) <> 'object'"
    ),
    "memories_variables": _unreadable("memories_variables", "jsonb_typeof(variables) <> 'object'"),
    "memories_elements": _unreadable(
        "memories_elements",
        "(content ->> 'type' IN ('model_input', 'model_output')) IS NOT TRUE",
    ),
}

# Strict paths visit each member once; a missing one is no error in a filter.
FLOATS = Query(
    "doctor.whole_floats",
    """
SELECT count(*)
FROM (SELECT payload FROM {schema}.conversation_memory LIMIT :limit::INTEGER) AS turn
CROSS JOIN LATERAL jsonb_path_query(
    turn.payload,
    'strict $.content[*] ? (@.event == "tool_request").content.artifact.arguments.** ?
        (@.type() == "number")'
) AS number
WHERE number::TEXT ~ '^-?[0-9]+[.]0+$'
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


type FindViews = Callable[[str | None, Container[str]], Operation[Records[ViewState]]]


@workflow
def diagnose(
    schema: str | None,
    find_views: FindViews,
    line: Line | None,
    of_replica: Workflow[tuple[str, ...]],
) -> Steps[Diagnosis]:
    """Inspect the server, tables, migrations, views and listeners; change nothing.

    The workflow ``of_replica`` returns the problems of the replica.
    """
    server = yield _read("the server", SERVER(schema=schema))
    *described, exists, has_citus = server[0]
    version, number, encoding, database, role, place, standby, read_only, size = described
    catalog: Catalog = yield read_catalog(schema, line)
    found, place = catalog.tables, next(iter(catalog.schemas), place)
    # Without the table nothing is applied; if the role may not read it, that is not known.
    recorded = next(table for table in found if table.name == "draive_pg_migrations")
    readable = "SELECT" in recorded.rights
    applied = (yield _read("the migrations", APPLIED())) if readable else ()
    history = _migrations(applied, catalog.parts) if readable or not recorded.present else []
    listeners = yield _read("the listeners", LISTENERS())
    views = yield find_views(place, {table.name for table in found if table.present})
    elsewhere = () if recorded.present else (yield _read("other schemas", ELSEWHERE()))
    conflicts, types = name_conflicts(found), _problems_of_types(found)
    unreadable: list[str] = []
    for table in found if not conflicts and not types else ():
        if table.name in UNREADABLE and "SELECT" in table.rights:
            statement = UNREADABLE[table.name](limit=MAX_INSPECTED)
            ((count, example),) = yield _read("the rows", statement)
            if count:
                unreadable.append(_unreadable_rows(table.name, count, example))
    tables = yield read_tables(schema)
    detected, lines = _line(tables, line)
    if "conversation_memory" in tables and detected is not None and detected.has_turns:
        ((floats,),) = yield _read("tool arguments", FLOATS(limit=MAX_INSPECTED))
        if floats:
            lines.append(
                f"conversation_memory: {plural(floats, 'number')} in tool arguments end with .0: "
                "draive 0.100 to 0.115 stores integers so, and they cannot be told from floats; "
                "upgrade draive to 0.116 or newer"
            )
    sizes: Mapping[str, int] = {}
    layout: list[str] = []
    if has_citus:
        sizes = yield citus.sizes(place)
        present = [table.name for table in found if table.present]
        layout = citus.problems(present, sizes, worker=(yield citus.is_worker()))
    problems_of_replica: tuple[str, ...] = yield of_replica
    return Diagnosis(
        version=version,
        database=database,
        role=role,
        schema=place,
        draive=detected and detected.name,
        standby=standby,
        read_only=read_only,
        bytes=size,
        migrations=Records(AppliedMigration, history),
        tables=Records(TableState, (_table(table, sizes) for table in found)),
        views=views,
        listeners=Records(Listener, (Listener(*row) for row in listeners)),
        problems=(
            *_problems_of_server(version, number, encoding),
            # What makes setup the wrong advice comes before the advice to run it.
            *(
                f"the tables are in schema {name!r:.80}: use schema={name!r:.80}, --schema, or a "
                "search path with it"
                for (name,) in elsewhere
            ),
            *([several_schemas(catalog)] if len(catalog.schemas) > 1 else ()),
            *layout,
            *conflicts,
            *_problems_of_tables(found, history, place, exists=exists),
            *types,
            *unreadable,
            *lines,
            *_problems_of_rights(found, role),
            *_problems_of_views(views),
            *problems_of_replica,
        ),
    )


def _line(tables: Mapping[str, str | None], chosen: Line | None) -> tuple[Line | None, list[str]]:
    """Return the line of the conversations, and the problems with it."""
    try:
        return detect(tables, chosen), []
    except SchemaInvalid as error:
        return None, [str(error)]


def _read(what: str, statement: Statement) -> Operation[Sequence[Row]]:
    return read_rows(f"diagnose: inspect {what}", statement, list)


def _table(found: CatalogRow, sizes: Mapping[str, int]) -> TableState:
    # PostgreSQL estimates only the rows that are on this node.
    return TableState(
        name=found.name,
        present=found.present,
        rows=None if found.name in sizes else found.rows,
        bytes=sizes.get(found.name, found.bytes),
        rights=tuple(found.rights),
        missing=tuple(f"{each.kind} {each.name}" for each in missing_objects(found)),
    )


def _migrations(applied: Sequence[Row], parts: Set[Part]) -> list[AppliedMigration]:
    recorded = {version: (name, checksum, when) for version, name, checksum, when in applied}
    ours = {migration.version: migration for migration in migrations()}
    return [
        _migration(ours.get(version), *recorded.get(version, (None, None, None)))
        for version in sorted(ours.keys() | recorded.keys())
        if version in recorded or is_for(ours[version].name, parts)
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


def _problems_of_server(version: str, number: int, encoding: str) -> list[str]:
    problems: list[str] = []
    if number < OLDEST:
        problems.append(f"PostgreSQL {version} is older than 15: use a newer server")
    if encoding != "UTF8":
        problems.append(
            f"the database has encoding {encoding}, which not every text can be stored in: use a "
            "database with encoding UTF8"
        )
    return problems


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
    missing = [each for table in found for each in missing_objects(table)]
    problems: list[str] = []
    if files["missing"]:
        problems.append(
            f"not applied: {', '.join(files['missing'])}: run setup, as the owner of the tables"
        )
    problems += [
        f"{each.table}: {each.kind} {each.name} is missing, although {each.migration} was applied: "
        "run setup, as the owner of the tables"
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


def _problems_of_types(found: Sequence[CatalogRow]) -> list[str]:
    return [
        f"{row.name}: column {column} has type {kind}, not {expected}: change it with ALTER TABLE, "
        "or use another schema"
        for row in found
        if row.present
        for column, kind in row.columns
        if kind != (expected := {**row.expected.optional, **row.expected.columns}.get(column, kind))
    ]


def _unreadable_rows(table: str, count: int, example: str) -> str:
    return (
        f"{table}: {plural(count, 'row')} cannot be read, such as of {example!r:.80}: correct or "
        "remove them; lenient=True leaves them out"
    )


def _problems_of_rights(found: Sequence[CatalogRow], role: str) -> list[str]:
    closed = [table.name for table in found if table.present and "SELECT" not in table.rights]
    if not closed:
        return []
    return [
        f"role {role!r:.80} may not read {', '.join(closed)}: grant it USAGE on the schema, and "
        "SELECT on the tables"
    ]


def _problems_of_views(views: Iterable[ViewState]) -> list[str]:
    """Return one problem per schema with views that are not those of the frames."""
    wrong: dict[str, list[str]] = {}
    for each in views:
        if each.state != "current":
            wrong.setdefault(each.schema, []).append(f"{each.name} is {each.state}")
    return [
        f"views in schema {place!r:.80}: {', '.join(names)}: run draive-pg views create, or "
        "frames.create_views; if PostgreSQL refuses, drop them first"
        for place, names in wrong.items()
    ]
