"""Views of the frames, for psql and other tools: the same columns, from the same SQL."""

import re
from collections.abc import Container, Mapping, Sequence
from typing import LiteralString, cast

from psycopg.sql import Identifier

from draive_pg.codec.validation import check_schema
from draive_pg.errors import SchemaInvalid
from draive_pg.frames import FRAMES
from draive_pg.frames.frame import ColumnType, Frame
from draive_pg.models.admin import ViewState
from draive_pg.models.record import Records
from draive_pg.operations.admin.migrations import missing_tables
from draive_pg.operations.conversations.relations import FENCE
from draive_pg.operations.documents.kind import CONFIGURATIONS, INSTRUCTIONS, TEMPLATES
from draive_pg.operations.operation import (
    PARAMETER,
    Operation,
    Query,
    Row,
    Statement,
    Steps,
    read_rows,
    transactional,
)

DEFAULT_SCHEMA = "draive_pg"

TYPES: Mapping[ColumnType, LiteralString] = {
    "text": "TEXT",
    "integer": "INT8",
    "index": "INT8",
    "float": "FLOAT8",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "texts": "JSONB",
    "json": "JSONB",
}

# Frames of tables that only some releases of draive have.
TABLES: Mapping[str, str] = {
    "instruction_revisions": INSTRUCTIONS.table,
    "template_revisions": TEMPLATES.table,
    "configurations": CONFIGURATIONS.table,
}

# PostgreSQL does not move the conditions of a query into a subquery with one of these.
FENCES = re.compile(rf"\bLIMIT :limit::INT8\b|{re.escape(FENCE)}")


def _definition(frame: Frame) -> LiteralString:
    """Return the query of a view: that of the frame without filters."""
    rows = cast("LiteralString", PARAMETER.sub("NULL", FENCES.sub("", frame.rows)))
    columns: list[LiteralString] = [
        f'    frame."{name}"::{TYPES[kind]} AS "{name}"' for name, kind in frame.columns.items()
    ]
    return "SELECT\n" + ",\n".join(columns) + f"\nFROM ({rows}) AS frame"


# Of the role that reads: the views give no access to tables that it has no right to.
CREATE = {
    frame.name: Query(
        f"views.{frame.name}",
        f"CREATE OR REPLACE VIEW draive_pg.{frame.name} WITH (security_invoker = TRUE) AS\n"
        f"{_definition(frame)}",
    )
    for frame in FRAMES.values()
}

VIEWS: LiteralString = ", ".join(f"draive_pg.{frame.name}" for frame in FRAMES.values())

DROP = Query("views.drop", f"DROP VIEW IF EXISTS {VIEWS}")

CREATE_SCHEMA = Query("views.create_schema", "CREATE SCHEMA IF NOT EXISTS draive_pg")

# The schema of the tables, the views that exist, and the schemas of the tables that they read.
STATE = Query(
    "views.state",
    """
WITH view AS (
    SELECT oid, relname
    FROM pg_class
    WHERE relnamespace = to_regnamespace(quote_ident(:views::TEXT))
        AND relkind = 'v'
        AND relname = ANY (:names::TEXT[])
)
SELECT
    to_regnamespace(quote_ident(:views::TEXT)) IS NOT NULL,
    coalesce(:schema::TEXT, (
        SELECT nspname::TEXT
        FROM pg_class
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = to_regclass('draive_pg_migrations')
    )),
    ARRAY(SELECT relname::TEXT FROM view ORDER BY relname),
    ARRAY(
        SELECT DISTINCT nspname::TEXT
        FROM view
        JOIN pg_rewrite ON ev_class = view.oid
        JOIN pg_depend ON classid = 'pg_rewrite'::REGCLASS AND objid = pg_rewrite.oid
        JOIN pg_class AS read ON read.oid = refobjid AND read.relkind IN ('r', 'p')
        JOIN pg_namespace ON pg_namespace.oid = read.relnamespace
        WHERE refclassid = 'pg_class'::REGCLASS
    )
""",
)


# The views of frames that read the tables in a schema, with their columns.
FIND = Query(
    "views.find",
    """
SELECT
    nspname::TEXT,
    relname::TEXT,
    ARRAY(
        SELECT attname::TEXT
        FROM pg_attribute
        WHERE attrelid = view.oid AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum
    )
FROM pg_class AS view
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'v' AND relname = ANY (:names::TEXT[]) AND EXISTS (
    SELECT
    FROM pg_rewrite
    JOIN pg_depend ON classid = 'pg_rewrite'::REGCLASS AND objid = pg_rewrite.oid
    JOIN pg_class AS read ON read.oid = refobjid AND read.relkind IN ('r', 'p')
    WHERE ev_class = view.oid
        AND refclassid = 'pg_class'::REGCLASS
        AND read.relnamespace = to_regnamespace(quote_ident(:schema::TEXT))
)
ORDER BY nspname, relname
""",
)

# Names of our tables begin with `draive_pg_`.
DEFAULT = re.compile(r"\bdraive_pg\b")


@transactional
def create(views: str, schema: str | None) -> Steps[tuple[str, ...]]:
    """Create or replace the views, and return their names."""
    exists, tables, _, read = yield _state(views, schema)
    if views == tables:
        raise ValueError(f"create views: schema {views!r} has the tables: name another one")
    if others := {*read} - {tables}:
        raise SchemaInvalid(
            f"create views: those in schema {views!r} are of the tables in {min(others)!r}: drop "
            "them first, or name another schema"
        )
    missing = yield missing_tables(schema, TABLES.values())
    names = [name for name in FRAMES if TABLES.get(name) not in missing]
    if not exists:
        yield Operation("create views: schema", (_in(views, CREATE_SCHEMA()),))
    for name in names:
        yield Operation(
            f"create view {name}",
            (_in(views, CREATE[name]()),),
            fallback=FRAMES[name].fallback,
        )
    return tuple(names)


@transactional
def drop(views: str, schema: str | None) -> Steps[tuple[str, ...]]:
    """Drop the views that exist, and return their names."""
    exists, _, names, _ = yield _state(views, schema)
    if exists:
        yield Operation("drop views", (_in(views, DROP()),))
    return tuple(names)


def find(schema: str | None, tables: Container[str]) -> Operation[Records[ViewState]]:
    """Return the states of the views of the tables in a schema."""
    expected = {
        name: [*frame.columns]
        for name, frame in FRAMES.items()
        if name not in TABLES or TABLES[name] in tables
    }

    def decode(rows: Sequence[Row]) -> Records[ViewState]:
        found = {(place, name): columns for place, name, columns in rows}
        return Records(
            ViewState,
            (
                ViewState(place, name, _compared(found.get((place, name)), columns))
                for place in dict.fromkeys(place for place, _ in found)
                for name, columns in expected.items()
            ),
        )

    return read_rows("diagnose: inspect the views", FIND(names=list(FRAMES), schema=schema), decode)


def _compared(columns: Sequence[str] | None, expected: Sequence[str]) -> str:
    if columns is None:
        return "missing"
    return "current" if columns == expected else "stale"


def _state(views: str, schema: str | None) -> Operation[Row]:
    if not check_schema(views):
        raise ValueError("schema must be the name of a schema")

    statement = STATE(views=views, names=list(FRAMES), schema=schema)
    return read_rows("look for views", statement, lambda rows: rows[0])


def _in(views: str, statement: Statement) -> Statement:
    """Return a statement for another schema of the views."""
    quoted = cast("LiteralString", Identifier(views).as_string())
    return statement._replace(sql=DEFAULT.sub(lambda _: quoted, statement.sql))
