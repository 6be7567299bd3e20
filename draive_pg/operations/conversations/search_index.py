"""Create the GIN indexes that make search for text fast; search works without them."""

from collections.abc import Iterable
from typing import LiteralString, NamedTuple, cast

from psycopg.sql import Identifier, Literal

from draive_pg.codec.validation import MAX_NAME, check_text
from draive_pg.operations.conversations.expressions import SPOKEN, vector
from draive_pg.operations.operation import Operation, Query, Statement, Steps, Workflow, workflow

ELEMENTS: LiteralString = "memories_elements"

TRIGRAMS: LiteralString = "pg_trgm"  # the extension that an index for parts of words needs

STATE = Query(
    "memories.search_index",
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
def create_search_index(language: str, schema: str | None) -> Steps[bool]:
    """Create the index for a text search configuration, and return whether it was missing."""
    name = f"{ELEMENTS}_search_{check_text(language, 'language')}"
    if not language or len(name.encode()) > MAX_NAME:
        raise ValueError(f"language must name a text search configuration, not {language!r:.60}")
    state = yield _state(ELEMENTS, name, schema)
    # CREATE INDEX takes no parameters, so psycopg quotes the language.
    expression = vector(cast("LiteralString", f"{Literal(language).as_string()}::REGCONFIG"))
    return (yield from _create(ELEMENTS, name, f"({expression})", state))


def create_substring_index(schema: str | None) -> Workflow[bool]:
    """Create the index for parts of words, and return whether it was missing."""
    return create_trigram_index(ELEMENTS, "memories_elements_substring", [SPOKEN], schema)


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
    return Operation(
        name="create search index: look for the index",
        statements=(STATE(schema=schema, table=table, index=name, extension=TRIGRAMS),),
        read_only=True,
        decode=lambda rows: State(*rows[0]),
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
