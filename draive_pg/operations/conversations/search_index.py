"""Create the GIN index that makes full-text search fast; search works without it."""

from typing import LiteralString, cast

from psycopg.sql import Identifier, Literal

from draive_pg.codec.validation import MAX_NAME, check_text
from draive_pg.operations.conversations.expressions import vector
from draive_pg.operations.operation import Operation, Query, Statement, Steps, workflow

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
    ) AS valid
""",
)


@workflow
def create_search_index(language: str, schema: str | None) -> Steps[bool]:
    """Create the index for a text search configuration, and return whether it was missing."""
    name = f"memories_elements_search_{check_text(language, 'language')}"
    if not language or len(name.encode()) > MAX_NAME:
        raise ValueError(f"language must name a text search configuration, not {language!r:.60}")
    partitioned, valid = yield Operation[tuple[bool | None, bool | None]](
        name="create search index: look for the index",
        statements=(STATE(schema=schema, index=name),),
        read_only=True,
        decode=lambda rows: (rows[0][0], rows[0][1]),
    )
    if valid:
        return False
    # CREATE and DROP INDEX take no parameters, so psycopg quotes the names and the language.
    index = cast("LiteralString", Identifier(name).as_string())
    expression = vector(cast("LiteralString", f"{Literal(language).as_string()}::REGCONFIG"))
    concurrently = "" if partitioned else "CONCURRENTLY "  # not possible on a partitioned table
    if valid is False:  # left behind by an interrupted CREATE INDEX
        yield _definition(f"DROP INDEX CONCURRENTLY IF EXISTS {{schema}}.{index}", language)
    yield _definition(
        f"CREATE INDEX {concurrently}IF NOT EXISTS {index} "
        f"ON {{schema}}.memories_elements USING gin (({expression}))",
        language,
    )
    return True


def _definition(sql: LiteralString, language: str) -> Operation[None]:
    return Operation(
        name=f"create search index for language {language!r:.60}", statements=(Statement(sql),)
    )
