"""Create the GIN indexes that make search for text fast; search works without them."""

from typing import LiteralString, NamedTuple, cast

from psycopg.sql import Identifier, Literal

from draive_pg.codec.validation import MAX_NAME, check_text
from draive_pg.operations.conversations.expressions import SPOKEN, vector
from draive_pg.operations.operation import Operation, Query, Statement, Steps, workflow

TRIGRAMS: LiteralString = "pg_trgm"  # the extension that an index for parts of words needs

STATE = Query(
    "memories.search_index",
    """
SELECT
    (
        SELECT relkind = 'p'
        FROM pg_class
        WHERE oid = to_regclass(
            coalesce(quote_ident(:schema::TEXT) || '.', '') || 'memories_elements'
        )
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
    name = f"memories_elements_search_{check_text(language, 'language')}"
    if not language or len(name.encode()) > MAX_NAME:
        raise ValueError(f"language must name a text search configuration, not {language!r:.60}")
    state = yield _state(name, schema)
    # CREATE INDEX takes no parameters, so psycopg quotes the language.
    expression = vector(cast("LiteralString", f"{Literal(language).as_string()}::REGCONFIG"))
    return (yield from _create(name, f"({expression})", state))


@workflow
def create_substring_index(schema: str | None) -> Steps[bool]:
    """Create the index for parts of words, and return whether it was missing."""
    name = "memories_elements_substring"
    state = yield _state(name, schema)
    if state.extension_schema is None:
        yield _definition(f"CREATE EXTENSION IF NOT EXISTS {TRIGRAMS}")
        state = yield _state(name, schema)
    operators = cast("LiteralString", f"{state.extension_schema}.gin_trgm_ops")
    return (yield from _create(name, f"({SPOKEN}::TEXT) {operators}", state))


def _state(name: str, schema: str | None) -> Operation[State]:
    return Operation(
        name="create search index: look for the index",
        statements=(STATE(schema=schema, index=name, extension=TRIGRAMS),),
        read_only=True,
        decode=lambda rows: State(*rows[0]),
    )


def _create(name: str, column: LiteralString, state: State) -> Steps[bool]:
    if state.valid:
        return False
    index = cast("LiteralString", Identifier(name).as_string())
    if state.valid is False:  # left behind by an interrupted CREATE INDEX
        yield _definition(f"DROP INDEX CONCURRENTLY IF EXISTS {{schema}}.{index}")
    concurrently = "" if state.partitioned else "CONCURRENTLY "  # not on a partitioned table
    yield _definition(
        f"CREATE INDEX {concurrently}IF NOT EXISTS {index} "
        f"ON {{schema}}.memories_elements USING gin ({column})"
    )
    return True


def _definition(sql: LiteralString) -> Operation[None]:
    return Operation(name="create search index", statements=(Statement(sql),))
