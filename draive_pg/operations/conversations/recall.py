"""Read one conversation as draive recalls it: elements to replay to a model, and variables."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from draive_pg.codec.elements import newest, replayable
from draive_pg.codec.validation import check_limit, check_text
from draive_pg.lines.line import Line
from draive_pg.operations.conversations.expressions import BACKWARD, STARTS_TURN
from draive_pg.operations.conversations.relations import ELEMENTS, SNAPSHOTS
from draive_pg.operations.conversations.turns import recall as turns_of
from draive_pg.operations.operation import (
    ByLine,
    Operation,
    Query,
    Request,
    Row,
    Steps,
    decode_rows,
    read_rows,
    warn_skipped,
    workflow,
)

if TYPE_CHECKING:
    from draive import ModelInput, ModelMemoryRecall, ModelOutput

# The elements in order, then the newest variables: one statement, so one snapshot of both. The
# times are numbers, because printing them takes a quarter of the statement.
RECALL = Query(
    "memories.recall",
    f"""
SELECT written, document
FROM (
    SELECT date_part('epoch', created) AS written, created, place, content::TEXT AS document
    FROM {ELEMENTS} AS element
    WHERE identifier = :identifier::TEXT
    UNION ALL
    (
        SELECT NULL, NULL, NULL, variables::TEXT
        FROM {SNAPSHOTS} AS snapshot
        WHERE identifier = :identifier::TEXT
            AND (jsonb_typeof(variables) = 'object' OR NOT :skip_invalid::BOOLEAN)
        ORDER BY created DESC, place DESC
        LIMIT 1
    )
) AS recalled
ORDER BY created, place
""",
)

# The newest elements; if they contain no user turn, all elements since the newest user turn. Both
# subqueries scan the index backwards and stop early; the window function needs no sort, because
# the rows arrive in its order.
RECALL_NEWEST = Query(
    "memories.recall_newest",
    f"""
SELECT written, document
FROM (
    (
        SELECT date_part('epoch', created) AS written, created, place, content::TEXT AS document
        FROM {ELEMENTS} AS element
        WHERE identifier = :identifier::TEXT
        ORDER BY created DESC, place DESC
        LIMIT greatest(:limit::INT8, (
            SELECT number
            FROM (
                SELECT
                    type,
                    kind,
                    composite,
                    row_number() OVER (ORDER BY created DESC, place DESC) AS number
                FROM {ELEMENTS} AS element
                WHERE identifier = :identifier::TEXT
                {BACKWARD}
            ) AS backward
            WHERE {STARTS_TURN}
            LIMIT 1
        ))
    )
    UNION ALL
    (
        SELECT NULL, NULL, NULL, variables::TEXT
        FROM {SNAPSHOTS} AS snapshot
        WHERE identifier = :identifier::TEXT
        ORDER BY created DESC, place DESC
        LIMIT 1
    )
) AS recalled
ORDER BY created, place
""",
)


def recall_by_line(
    identifier: str, limit: int | None, *, lenient: bool
) -> "Request[ModelMemoryRecall]":
    """Recall elements or, with tables of draive 0.100 or newer, turns."""
    check_text(identifier, "identifier")
    check_limit(limit, "limit")

    def build(line: Line) -> "Request[ModelMemoryRecall]":
        if line.has_turns:
            return cast("Request[Any]", turns_of(identifier, limit, lenient=lenient))
        if lenient:
            return recall_leniently(identifier, limit)
        return recall(identifier, limit)

    return ByLine(build)


def recall(identifier: str, limit: int | None) -> "Operation[ModelMemoryRecall]":
    """Return the newest variables and the elements that can be replayed to a model."""
    return _read(identifier, limit, _recalled)


@workflow
def recall_leniently(identifier: str, limit: int | None) -> "Steps[ModelMemoryRecall]":
    """Recall what can be decoded; if some rows cannot, read the whole memory and warn of each."""
    read: Read = yield _read(identifier, limit, skip_invalid=True)
    if skipped := read.skipped:
        whole = RECALL(identifier=identifier, skip_invalid=True)
        operation = _read(identifier, None, skip_invalid=True)
        read = yield replace(operation, statements=(whole,))
        warn_skipped(dict.fromkeys((*read.skipped, *skipped)))
    return _recalled(read, limit)


class Read(NamedTuple):
    """The decoded rows of a memory, and why others were skipped."""

    elements: "Sequence[ModelInput | ModelOutput]"
    variables: Mapping[str, Any]
    skipped: Sequence[str]


def _read[T](
    identifier: str,
    limit: int | None,
    to_result: Callable[[Read], T] = lambda read: read,
    *,
    skip_invalid: bool = False,
) -> Operation[T]:
    check_text(identifier, "identifier")
    check_limit(limit, "limit")

    def decode(rows: Sequence[Row]) -> T:
        from draive_pg.codec import draive_elements

        written = [row for row in rows if row[0] is not None]
        elements, skipped = draive_elements.decode_elements([row[1] for row in written]), ()
        if elements is None:
            elements, skipped = decode_rows(
                written,
                lambda row: draive_elements.decode_element(
                    row[1], partial(_element, identifier, row[0])
                ),
                skip_invalid=skip_invalid,
            )
        variables, skipped_too = decode_rows(
            (row[1] for row in rows if row[0] is None),
            lambda document: draive_elements.decode_variables(
                document, f"the newest variables of memory {identifier!r:.80}"
            ),
            skip_invalid=skip_invalid,
        )
        return to_result(Read(elements, variables[0] if variables else {}, skipped + skipped_too))

    statement = (
        RECALL(identifier=identifier, skip_invalid=False)
        if limit is None
        else RECALL_NEWEST(identifier=identifier, limit=limit)
    )
    return read_rows(f"recall memory {identifier!r:.80}", statement, decode)


def _recalled(read: Read, limit: int | None = None) -> "ModelMemoryRecall":
    from draive_pg.codec import draive_elements

    outlines = [draive_elements.outline(element) for element in read.elements]
    first = newest(outlines, limit)
    context = [read.elements[first + index] for index in replayable(outlines[first:])]
    return draive_elements.recall(context, read.variables)


def _element(identifier: str, written: float) -> str:
    time: object = f"{written:g} seconds after 1970"
    with suppress(OverflowError, ValueError):  # a time that only PostgreSQL can represent
        time = datetime.fromtimestamp(written, UTC)
    return f"memory {identifier!r:.80}, element of {time},"
