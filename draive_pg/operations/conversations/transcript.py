"""Read one memory as a transcript."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from draive_pg.codec.validation import check_limit, check_text
from draive_pg.operations.conversations.expressions import epoch_us
from draive_pg.operations.conversations.relations import CONVERSATIONS, ELEMENTS, SNAPSHOTS
from draive_pg.operations.operation import Operation, Query, Row, read_rows

if TYPE_CHECKING:
    from draive_pg.models.transcript import Transcript

# First a row of the memory itself, then its newest elements in order: one snapshot of both.
SHOW = Query(
    "memories.show",
    f"""
WITH newest AS (
    SELECT created, place, moment, content
    FROM {ELEMENTS} AS element
    WHERE identifier = :identifier::TEXT
    ORDER BY created DESC, place DESC
    LIMIT :limit::INT8
)
SELECT
    EXISTS (
        SELECT FROM {CONVERSATIONS} AS conversation WHERE identifier = :identifier::TEXT
    ),
    (SELECT count(*) FROM {ELEMENTS} AS element WHERE identifier = :identifier::TEXT),
    (
        SELECT variables::TEXT
        FROM {SNAPSHOTS} AS snapshot
        WHERE identifier = :identifier::TEXT
        ORDER BY created DESC, place DESC
        LIMIT 1
    )
UNION ALL
(
    SELECT NULL, {epoch_us("moment")}, content::TEXT
    FROM newest
    ORDER BY created, place
)
""",
)


def show(identifier: str, limit: int | None) -> "Operation[Transcript]":
    """Return a transcript of all elements of a memory, or of the newest."""
    check_text(identifier, "identifier")
    check_limit(limit, "limit")

    def decode(rows: Sequence[Row]) -> "Transcript":
        from draive_pg.display.transcript import parsed, transcribe
        from draive_pg.models.transcript import Transcript

        (exists, elements, variables), *stored = rows
        return Transcript(
            identifier=identifier,
            exists=exists,
            variables={} if variables is None else parsed(variables),
            elements=elements,
            entries=transcribe(
                [(written, document) for _, written, document in stored],
                first=elements - len(stored),
            ),
        )

    return read_rows(
        f"show memory {identifier!r:.80}", SHOW(identifier=identifier, limit=limit), decode
    )
