"""Looking at one memory: all that is stored of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, LiteralString

from draive_pg.codec.validation import check_limit, check_text
from draive_pg.operations.conversations.expressions import microseconds
from draive_pg.operations.operation import Operation, Row, Statement

if TYPE_CHECKING:
    from draive_pg.display.transcript import Transcript

__all__ = ("show",)

# What is known of the memory first, then its newest elements in their order: one instant of both.
SHOW: LiteralString = f"""
WITH newest AS (
    SELECT created, ctid AS place, content
    FROM {{schema}}.memories_elements
    WHERE identifier = $1::TEXT
    ORDER BY created DESC, ctid DESC
    LIMIT $2::INT8
)
SELECT
    EXISTS (SELECT FROM {{schema}}.memories WHERE identifier = $1::TEXT),
    (SELECT count(*) FROM {{schema}}.memories_elements WHERE identifier = $1::TEXT),
    (
        SELECT variables::TEXT
        FROM {{schema}}.memories_variables
        WHERE identifier = $1::TEXT
        ORDER BY created DESC, ctid DESC
        LIMIT 1
    )
UNION ALL
(
    SELECT
        NULL,
        {microseconds("created")},
        content::TEXT
    FROM newest
    ORDER BY created, place
)
"""


def show(identifier: str, limit: int | None) -> "Operation[Transcript]":
    """A memory as people read it: all of its elements, or the newest."""
    check_text(identifier, "identifier")
    check_limit(limit, "limit")

    def decode(rows: Sequence[Row]) -> "Transcript":
        from draive_pg.codec.transcript import parsed, transcribe
        from draive_pg.display.transcript import Transcript

        (exists, elements, variables), *stored = rows
        return Transcript(
            identifier=identifier,
            exists=exists,
            variables={} if variables is None else parsed(variables),
            elements=elements,
            entries=transcribe(
                [(written, document) for _, written, document in stored],
                first=elements - len(stored),
                identifier=identifier,
            ),
        )

    return Operation(
        name=f"show memory {identifier!r:.80}",
        statements=(Statement(SHOW, (identifier, limit)),),
        reads=True,
        decode=decode,
    )
