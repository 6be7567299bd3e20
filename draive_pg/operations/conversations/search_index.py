"""The index that full-text search is faster with, and that nothing needs to work."""

from typing import LiteralString, cast

from psycopg.sql import Identifier, Literal

from draive_pg.codec.validation import MAX_NAME, check_text
from draive_pg.operations.conversations.expressions import vector
from draive_pg.operations.operation import Operation, Statement, Steps, workflow

__all__ = ("index_search",)

STATE = """
SELECT
    (
        SELECT relkind = 'p'
        FROM pg_class
        WHERE oid = to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || 'memories_elements')
    ),
    (
        SELECT indisvalid
        FROM pg_index
        WHERE indexrelid
            = to_regclass(coalesce(quote_ident($1::TEXT) || '.', '') || quote_ident($2::TEXT))
    )
"""

# Left behind, of no use, where making it was interrupted.
DROP = "DROP INDEX CONCURRENTLY IF EXISTS {schema}.NAME"

# Writers do not wait for it; on a partitioned table they do, for PostgreSQL knows no other way.
CREATE = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS NAME
ON {schema}.memories_elements USING gin ((VECTOR))
"""


@workflow
def index_search(language: str, schema: str | None) -> Steps[bool]:
    """Make the index for the texts of a language, if it is missing; whether it was."""
    name = f"memories_elements_search_{check_text(language, 'language')}"
    if not language or len(name.encode()) > MAX_NAME:
        raise ValueError(f"language must name a text search configuration, not {language!r:.60}")
    partitioned, valid = yield _state(name, schema)
    if valid:
        return False
    if valid is False:
        yield _made(DROP, name, language)
    yield _made(CREATE.replace("CONCURRENTLY", "") if partitioned else CREATE, name, language)
    return True


def _state(name: str, schema: str | None) -> Operation[tuple[bool | None, bool | None]]:
    return Operation(
        name="index search: look for the index",
        statements=(Statement(STATE, (schema, name)),),
        reads=True,
        decode=lambda rows: (rows[0][0], rows[0][1]),
    )


def _made(sql: LiteralString, name: str, language: str) -> Operation[None]:
    # Definitions take no parameters; psycopg quotes what stands in their place.
    words = vector(cast("LiteralString", f"{Literal(language).as_string()}::REGCONFIG"))
    quoted = sql.replace("NAME", Identifier(name).as_string()).replace("VECTOR", words)
    return Operation(
        name=f"index search for language {language!r:.60}",
        statements=(Statement(cast("LiteralString", quoted)),),
    )
