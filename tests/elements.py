"""draive's elements, short to write in tests."""

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


def asked(text: str, **meta: Any) -> ModelInput:
    """A user's turn."""
    return ModelInput.of(MultimodalContent.of(text), meta=meta or None)


def answered(text: str, **meta: Any) -> ModelOutput:
    """A model's answer."""
    return ModelOutput.of(MultimodalContent.of(text), meta=meta or None)


def thought(reasoning: str, text: str) -> ModelOutput:
    """A model's answer, with its reasoning."""
    return ModelOutput.of(ModelReasoning.of(reasoning), MultimodalContent.of(text))


def called(*calls: str, tool: str = "find", **arguments: Any) -> ModelOutput:
    """A model's requests of a tool."""
    return ModelOutput.of(
        *(ModelToolRequest.of(call, tool=tool, arguments=arguments) for call in calls)
    )


def responded(*calls: str, tool: str = "find", text: str = "found") -> ModelInput:
    """The responses to them."""
    return ModelInput.of(
        *(
            ModelToolResponse.of(call, tool=tool, content=MultimodalContent.of(text))
            for call in calls
        )
    )


def texts(elements: Any) -> list[str]:
    """The texts of elements, by which tests tell them apart."""
    return [element.content.to_str() for element in elements]


def insert_elements(db: Client, sql: psycopg.Connection, rows: int, identifier: str = "m") -> None:
    """Insert elements one second apart into a memory, by SQL."""
    db.memory(identifier).maintenance()
    sql.execute(INSERT, (identifier, rows))
