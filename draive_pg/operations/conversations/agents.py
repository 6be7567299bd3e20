"""Recall and remember the context of an agent of draive 0.113 and newer."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from draive_pg.codec.json import parse
from draive_pg.operations.operation import Operation, Query, advisory_lock, next_time, read_rows

RECALL = Query(
    "agents.recall",
    """
SELECT context::TEXT
FROM {schema}.agent_memory
WHERE agent_uri = :agent::TEXT AND thread_id = :thread::UUID
ORDER BY created DESC, identifier DESC
LIMIT 1
""",
)

REMEMBER = Query(
    "agents.remember",
    f"""
INSERT INTO {{schema}}.agent_memory (agent_uri, thread_id, identifier, context, created)
SELECT
    :agent::TEXT,
    :thread::UUID,
    gen_random_uuid(),
    :context::JSONB,
    {next_time("max(created)")}
FROM {{schema}}.agent_memory
WHERE agent_uri = :agent::TEXT AND thread_id = :thread::UUID
""",
)


def recall(agent: str, thread: UUID) -> Operation[Sequence[Any]]:
    """Return the documents of the newest context of a thread."""
    return read_rows(
        f"recall thread {thread} of agent {agent!r:.80}",
        RECALL(agent=agent, thread=thread),
        lambda rows: parse(rows[0][0], f"the context of {thread}") if rows else (),
    )


def remember(agent: str, thread: UUID, context: str) -> Operation[None]:
    """Add a context, given as JSON text, as the newest of a thread."""
    return Operation(
        name=f"remember in thread {thread} of agent {agent!r:.80}",
        statements=(
            advisory_lock(f"memories/{agent}#{thread}"),
            REMEMBER(agent=agent, thread=thread, context=context),
        ),
    )
