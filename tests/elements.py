"""Short constructors of draive's elements."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
from draive import (
    ModelInput,
    ModelOutput,
    ModelReasoning,
    ModelToolRequest,
    ModelToolResponse,
    MultimodalContent,
)

from draive_pg import Client

INSERT = """
INSERT INTO memories_elements (identifier, content, created)
SELECT
    $1::TEXT,
    jsonb_build_object('type', 'model_input', 'meta', '{}'::JSONB, 'blocks', jsonb_build_array(
        jsonb_build_object('type', 'content', 'parts', jsonb_build_array(
            jsonb_build_object('text', 'text ' || n)
        ))
    )),
    TIMESTAMPTZ '2026-01-01Z' + n * INTERVAL '1 second'
FROM generate_series(1, $2::INT8) AS n
"""

# In a subquery, because Citus plans no UPDATE with arithmetic of times.
MOVE = """
UPDATE {table} AS stored
SET {column} = moved.time
FROM (
    SELECT {column} AS former, {column} + $1::INTERVAL AS time
    FROM {table} WHERE identifier = $2 OFFSET 0
) AS moved
WHERE stored.identifier = $2 AND stored.{column} = moved.former
"""

# The same for elements of several memories.
SPACE = """
UPDATE memories_elements AS stored
SET created = spaced.time
FROM (
    SELECT
        identifier,
        created AS former,
        $1::TIMESTAMPTZ + (row_number() OVER (ORDER BY created) - 1) * INTERVAL '1 second' AS time
    FROM memories_elements
) AS spaced
WHERE stored.identifier = spaced.identifier AND stored.created = spaced.former
"""


def asked(text: str, **meta: Any) -> ModelInput:
    """Return an input with a text."""
    return ModelInput.of(MultimodalContent.of(text), meta=meta or None)


def answered(text: str, **meta: Any) -> ModelOutput:
    """Return an output with a text."""
    return ModelOutput.of(MultimodalContent.of(text), meta=meta or None)


def thought(reasoning: str, text: str) -> ModelOutput:
    """Return an output with reasoning and a text."""
    return ModelOutput.of(ModelReasoning.of(reasoning), MultimodalContent.of(text))


def called(*calls: str, tool: str = "find", **arguments: Any) -> ModelOutput:
    """Return an output with tool requests."""
    return ModelOutput.of(
        *(ModelToolRequest.of(call, tool=tool, arguments=arguments) for call in calls)
    )


def responded(*calls: str, tool: str = "find", text: str = "found") -> ModelInput:
    """Return an input with tool responses."""
    return ModelInput.of(
        *(
            ModelToolResponse.of(call, tool=tool, content=MultimodalContent.of(text))
            for call in calls
        )
    )


def texts(elements: Any) -> list[str]:
    """Return the texts of elements."""
    return [element.content.to_str() for element in elements]


def insert_elements(db: Client, sql: psycopg.Connection, rows: int, identifier: str = "m") -> None:
    """Insert elements one second apart into a memory, by SQL."""
    db.memory(identifier).maintenance()
    sql.execute(INSERT, (identifier, rows))


def move_times(
    sql: psycopg.Connection, table: str, by: timedelta, identifier: str, column: str = "created"
) -> None:
    """Change the times of all rows of a memory in a table."""
    sql.execute(MOVE.format(table=table, column=column).encode(), (by, identifier))


def space_times(sql: psycopg.Connection, start: datetime) -> None:
    """Set the times of all elements one second apart, in their order."""
    sql.execute(SPACE, (start,))
