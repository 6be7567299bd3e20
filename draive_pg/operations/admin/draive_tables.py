"""Create the tables of draive, each for `migrate` of an adapter."""

from collections.abc import Mapping
from typing import LiteralString

from draive_pg.operations.operation import Operation, Query, advisory_lock

# As draive creates them: a table, and its index.
TABLES: Mapping[str, tuple[LiteralString, LiteralString]] = {
    "templates": (
        """
CREATE TABLE IF NOT EXISTS {schema}.templates (
    identifier TEXT NOT NULL,
    description TEXT DEFAULT NULL,
    content TEXT NOT NULL,
    variables JSONB NOT NULL DEFAULT '{}'::JSONB,
    meta JSONB NOT NULL DEFAULT '{}'::JSONB,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (identifier, created)
)
""",
        "CREATE INDEX IF NOT EXISTS templates_idx ON {schema}.templates (identifier, created DESC)",
    ),
    "configurations": (
        """
CREATE TABLE IF NOT EXISTS {schema}.configurations (
    identifier TEXT NOT NULL,
    name TEXT NOT NULL,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (identifier, created)
)
""",
        """
CREATE INDEX IF NOT EXISTS configurations_idx ON {schema}.configurations (identifier, created DESC)
""",
    ),
    "conversation_memory": (
        """
CREATE TABLE IF NOT EXISTS {schema}.conversation_memory (
    thread_id TEXT NOT NULL,
    identifier UUID NOT NULL,
    turn TEXT NOT NULL,
    payload JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (thread_id, identifier)
)
""",
        """
CREATE INDEX IF NOT EXISTS conversation_memory_idx
ON {schema}.conversation_memory (thread_id, created DESC)
""",
    ),
    "agent_memory": (
        """
CREATE TABLE IF NOT EXISTS {schema}.agent_memory (
    agent_uri TEXT NOT NULL,
    thread_id UUID NOT NULL,
    identifier UUID NOT NULL,
    context JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agent_uri, thread_id, identifier)
)
""",
        """
CREATE INDEX IF NOT EXISTS agent_memory_idx
ON {schema}.agent_memory (agent_uri, thread_id, created DESC, identifier DESC)
""",
    ),
}

CREATE = {
    table: [
        Query(f"draive.create_{table}", sql),
        Query(f"draive.index_{table}", index),
    ]
    for table, (sql, index) in TABLES.items()
}


def create(table: str) -> Operation[None]:
    """Create a table of draive and its index, unless they exist; only one process at a time."""
    return Operation(
        name=f"create the table {table}",
        statements=(
            advisory_lock("draive_pg/setup"),
            *(query() for query in CREATE[table]),
        ),
    )
