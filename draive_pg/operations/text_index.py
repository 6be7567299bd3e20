"""Create the GIN indexes that make searches of text fast."""

from collections.abc import Iterable
from typing import LiteralString, NamedTuple, cast

from psycopg.sql import Identifier

from draive_pg.operations.operation import Operation, Query, Statement, Steps, read_rows, workflow

TRIGRAMS: LiteralString = "pg_trgm"  # the extension that an index for parts of words needs

STATE = Query(
    "text_index.state",
    """
SELECT
    (
        SELECT relkind = 'p'
        FROM pg_class
        WHERE oid = to_regclass(coalesce(quote_ident(:schema::TEXT) || '.', '') || :table::TEXT)
    ) AS partitioned,
    (
        SELECT indisvalid
        FROM pg_index
        WHERE indexrelid = to_regclass(
            coalesce(quote_ident(:schema::TEXT) || '.', '') || quote_ident(:index::TEXT)
        )
    ) AS valid,
    (
        SELECT quote_ident(nspname)
        FROM pg_extension
        JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = :extension::TEXT
    ) AS extension_schema
""",
)


class State(NamedTuple):
    """What exists: ``valid`` is None without the index, ``extension_schema`` is a quoted name."""

    partitioned: bool | None
    valid: bool | None
    extension_schema: str | None


@workflow
def create_word_index(
    table: LiteralString, name: str, vector: LiteralString, schema: str | None
) -> Steps[bool]:
    """Create an index of a text search vector, and return whether it was missing."""
    state = yield _state(table, name, schema)
    return (yield from _create(table, name, f"({vector})", state))


@workflow
def create_trigram_index(
    table: LiteralString, name: str, texts: Iterable[LiteralString], schema: str | None
) -> Steps[bool]:
    """Create an index for parts of words in texts, and return whether it was missing."""
    state = yield _state(table, name, schema)
    if state.extension_schema is None:
        yield _definition(f"CREATE EXTENSION IF NOT EXISTS {TRIGRAMS}")
        state = yield _state(table, name, schema)
    operators = cast("LiteralString", f"{state.extension_schema}.gin_trgm_ops")
    columns: LiteralString = ", ".join(f"(({text})::TEXT) {operators}" for text in texts)
    return (yield from _create(table, name, columns, state))


def _state(table: str, name: str, schema: str | None) -> Operation[State]:
    return read_rows(
        "create search index: look for the index",
        STATE(schema=schema, table=table, index=name, extension=TRIGRAMS),
        lambda rows: State(*rows[0]),
    )


def _create(table: LiteralString, name: str, columns: LiteralString, state: State) -> Steps[bool]:
    if state.valid:
        return False
    index = cast("LiteralString", Identifier(name).as_string())
    if state.valid is False:  # left behind by an interrupted CREATE INDEX
        yield _definition(f"DROP INDEX CONCURRENTLY IF EXISTS {{schema}}.{index}")
    concurrently = "" if state.partitioned else "CONCURRENTLY "  # not on a partitioned table
    yield _definition(
        f"CREATE INDEX {concurrently}IF NOT EXISTS {index} "
        f"ON {{schema}}.{table} USING gin ({columns})"
    )
    return True


def _definition(sql: LiteralString) -> Operation[None]:
    return Operation(name="create search index", statements=(Statement(sql),))
