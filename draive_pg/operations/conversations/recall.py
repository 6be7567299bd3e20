"""One conversational memory as a model is given it again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

from draive_pg.codec.lenient import sifted, warn_skipped
from draive_pg.codec.replay import newest, replayable
from draive_pg.codec.validation import check_limit, check_text
from draive_pg.operations.conversations.expressions import STARTS_TURN
from draive_pg.operations.operation import Operation, Row, Statement, Steps, workflow

if TYPE_CHECKING:
    from draive import ModelInput, ModelMemoryRecall, ModelOutput

__all__ = ("recall", "recall_leniently")

# The elements in order, then the newest variables (where $2 is true, the newest that are any): one
# statement, so one instant of both.
# Rows that draive wrote may share `created`; `ctid` then gives the order in which they came, as
# long as they took no place of removed rows.
RECALL = """
SELECT written, document
FROM (
    SELECT created::TEXT AS written, created, ctid AS place, content::TEXT AS document
    FROM {schema}.memories_elements
    WHERE identifier = $1::TEXT
    UNION ALL
    (
        SELECT NULL, NULL, NULL, variables::TEXT
        FROM {schema}.memories_variables
        WHERE identifier = $1::TEXT AND (jsonb_typeof(variables) = 'object' OR NOT $2::BOOLEAN)
        ORDER BY created DESC, ctid DESC
        LIMIT 1
    )
) AS recalled
ORDER BY created, place
"""

# The same of the newest elements only; when no user turn is among them, of all since the newest.
# Backwards by the index both times, and no further than that takes.
RECALL_NEWEST: LiteralString = f"""
SELECT written, document
FROM (
    (
        SELECT created::TEXT AS written, created, ctid AS place, content::TEXT AS document
        FROM {{schema}}.memories_elements
        WHERE identifier = $1::TEXT
        ORDER BY created DESC, ctid DESC
        LIMIT greatest($2::INT8, (
            SELECT number
            FROM (
                SELECT content, row_number() OVER (ORDER BY created DESC, ctid DESC) AS number
                FROM {{schema}}.memories_elements
                WHERE identifier = $1::TEXT
            ) AS backward
            WHERE {STARTS_TURN}
            LIMIT 1
        ))
    )
    UNION ALL
    (
        SELECT NULL, NULL, NULL, variables::TEXT
        FROM {{schema}}.memories_variables
        WHERE identifier = $1::TEXT
        ORDER BY created DESC, ctid DESC
        LIMIT 1
    )
) AS recalled
ORDER BY created, place
"""


def recall(identifier: str, limit: int | None) -> "Operation[ModelMemoryRecall]":
    """The newest variables, and the elements that can be replayed to a model."""
    return _recalling(identifier, limit, _recalled)


@workflow
def recall_leniently(identifier: str, limit: int | None) -> "Steps[ModelMemoryRecall]":
    """The same of the rows that can be read; where some cannot, the whole memory is looked at."""
    read: Read = yield _recalling(identifier, limit, lenient=True)
    if skipped := read.skipped:
        statement = Statement(RECALL, (identifier, True))
        read = yield replace(_recalling(identifier, None, lenient=True), statements=(statement,))
        warn_skipped(dict.fromkeys((*read.skipped, *skipped)))
    return _recalled(read._replace(elements=newest(read.elements, limit)))


class Read(NamedTuple):
    """What a memory holds, and what is wrong with the rows that a lenient reading left out."""

    elements: "Sequence[ModelInput | ModelOutput]"
    variables: Mapping[str, Any]
    skipped: Sequence[str]


def _recalling[T](
    identifier: str,
    limit: int | None,
    present: Callable[[Read], T] = lambda read: read,
    *,
    lenient: bool = False,
) -> Operation[T]:
    check_text(identifier, "identifier")
    check_limit(limit, "limit")

    def decode(rows: Sequence[Row]) -> Read:
        from draive_pg.codec import draive_types as codec

        elements, skipped = sifted(
            (row for row in rows if row[0] is not None),
            lambda row: codec.decode_element(row[1], partial(_element, identifier, row[0])),
            lenient=lenient,
        )
        variables, skipped_too = sifted(
            (row[1] for row in rows if row[0] is None),
            lambda document: codec.decode_variables(
                document, f"the newest variables of memory {identifier!r:.80}"
            ),
            lenient=lenient,
        )
        return Read(elements, variables[0] if variables else {}, skipped + skipped_too)

    return Operation(
        name=f"recall memory {identifier!r:.80}",
        statements=(
            Statement(RECALL, (identifier, False))
            if limit is None
            else Statement(RECALL_NEWEST, (identifier, limit)),
        ),
        reads=True,
        decode=decode,
        present=present,
    )


def _recalled(read: Read) -> "ModelMemoryRecall":
    from draive_pg.codec import draive_types as codec

    return codec.recall(replayable(read.elements), read.variables)


def _element(identifier: str, written: str) -> str:
    return f"memory {identifier!r:.80}, element of {written},"
