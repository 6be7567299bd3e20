"""Remove or replace single elements of one memory; what is gone is kept in an audit table."""

from collections.abc import Callable, Sequence
from typing import Any, LiteralString

from draive_pg.codec.json import OnInvalid, check_invalid
from draive_pg.codec.validation import check_limit, check_optional, check_text
from draive_pg.errors import SchemaInvalid, StoredDataInvalid
from draive_pg.lines.line import Line
from draive_pg.operations.conversations.annotations import renumber
from draive_pg.operations.conversations.elements import (
    FIRST_PLACE,
    Position,
    check_place,
    decoder,
    time_of,
)
from draive_pg.operations.conversations.expressions import BACKWARD, STARTS_TURN
from draive_pg.operations.conversations.relations import (
    CHECK_REMOVAL,
    DELETE_ELEMENTS,
    DELETE_SNAPSHOTS,
    ELEMENTS,
    INSERT_ELEMENTS,
    STEP,
    lock_memory,
)
from draive_pg.operations.conversations.write import Element, encode_element
from draive_pg.operations.operation import ByLine, Operation, Query, Request, Row

KEEP: LiteralString = """kept AS (
    INSERT INTO {schema}.draive_pg_removed_elements (
        identifier, created, action, author, reason, content
    )
    SELECT identifier, created, :action::TEXT, :author::TEXT, :reason::TEXT, content
    FROM chosen
    WHERE NOT :erase::BOOLEAN AND (SELECT refusal FROM checked) IS NULL
    ORDER BY created, place
)"""

# The element at a position, or the place of a cursor. The index has the times of elements alone,
# so only among elements of one time are their places compared.
ANCHOR: LiteralString = f"""moment AS MATERIALIZED (
    SELECT coalesce({time_of(":time::TEXT")}, (
        SELECT created
        FROM {ELEMENTS} AS element
        WHERE identifier = :identifier::TEXT
        ORDER BY created
        LIMIT 1
        OFFSET :offset::INT8
    )) AS created
),
anchor AS (
    SELECT
        created,
        coalesce((SELECT :place::TID), (
            SELECT place
            FROM {ELEMENTS} AS element
            WHERE identifier = :identifier::TEXT AND element.created = moment.created
            ORDER BY place
            LIMIT 1
            OFFSET CASE WHEN (
                SELECT count(*) FROM {ELEMENTS} AS alike
                WHERE identifier = :identifier::TEXT AND alike.created = moment.created
            ) > 1 THEN :offset::INT8 - (
                SELECT count(*) FROM {ELEMENTS} AS earlier
                WHERE identifier = :identifier::TEXT AND earlier.created < moment.created
            ) END
        )) AS place
    FROM moment
)"""

# The beginning of the newest turn.
NEWEST_TURN: LiteralString = f"""anchor AS (
    SELECT created, place
    FROM (
        SELECT created, place, type, kind, composite
        FROM {ELEMENTS} AS element
        WHERE identifier = :identifier::TEXT
        {BACKWARD}
    ) AS backward
    WHERE {STARTS_TURN}
    LIMIT 1
)"""

FROM_ANCHOR: LiteralString = """
    AND (created, place) >= ((SELECT created FROM anchor), (SELECT place FROM anchor))"""

AT_ANCHOR: LiteralString = """
    AND created = (SELECT created FROM anchor) AND place = (SELECT place FROM anchor)"""


def _chosen(condition: LiteralString = "") -> LiteralString:
    return f"""chosen AS MATERIALIZED (
    SELECT identifier, created, place, content
    FROM {ELEMENTS} AS element
    WHERE identifier = :identifier::TEXT{condition}
)"""


# Annotations first: Citus runs one common table expression after the other.
REMOVE: LiteralString = f"""{CHECK_REMOVAL},
removed_elements AS (
    SELECT identifier, created, place FROM chosen WHERE (SELECT refusal FROM checked) IS NULL
),
{renumber()},
{DELETE_ELEMENTS},
{KEEP}"""

REMOVED: LiteralString = """
SELECT (SELECT refusal FROM checked), content::TEXT FROM chosen ORDER BY created, place"""

COUNTED: LiteralString = "SELECT (SELECT refusal FROM checked), count(*) FROM chosen"

NEWEST: LiteralString = """
    ORDER BY created DESC, place DESC
    LIMIT :number::INT8"""

POP = Query("memories.pop", f"WITH {_chosen(NEWEST)},\n{REMOVE}{REMOVED}\n")

UNDO = Query("memories.undo", f"WITH {NEWEST_TURN},\n{_chosen(FROM_ANCHOR)},\n{REMOVE}{REMOVED}\n")

# As many of the newest elements as there are from the position on.
FROM_POSITION: LiteralString = f"""
    ORDER BY created DESC, place DESC
    LIMIT greatest(0, (
        SELECT count(*) FROM {ELEMENTS} AS counted WHERE identifier = :identifier::TEXT
    ) - :offset::INT8)"""

FROM_CURSOR: LiteralString = f"""
    AND (created, place) >= ({time_of(":time::TEXT")}, :place::TID)"""

TRUNCATE = Query("memories.truncate", f"WITH {_chosen(FROM_POSITION)},\n{REMOVE}\n{COUNTED}\n")

TRUNCATE_AT_CURSOR = Query(
    "memories.truncate_at_cursor", f"WITH {_chosen(FROM_CURSOR)},\n{REMOVE}\n{COUNTED}\n"
)

REMOVE_ELEMENT = Query(
    "memories.remove_element", f"WITH {ANCHOR},\n{_chosen(AT_ANCHOR)},\n{REMOVE}{REMOVED}\n"
)

CLEAR = Query(
    "memories.clear",
    f"""
WITH {_chosen()},
{REMOVE},
cleared AS (SELECT :identifier::TEXT AS identifier WHERE NOT :keep_variables::BOOLEAN),
{DELETE_SNAPSHOTS}
{COUNTED}
""",
)

# `FROM_ANCHOR` would begin at the next element if the one at the anchor is gone.
# DELETE and INSERT, as a role may lack UPDATE. The new row has another place, so if other elements
# have its time, it and those after it get times of their own, which keep the order.
REPLACE = Query(
    "memories.replace",
    f"""
WITH {ANCHOR},
{_chosen(AT_ANCHOR)},
checked AS (SELECT NULL::TEXT AS refusal),
following AS (
    SELECT
        *,
        max(written - number * {STEP}) OVER (ORDER BY number) + number * {STEP} AS moved
    FROM (
        SELECT
            identifier,
            created,
            place,
            content,
            row_number() OVER ordered AS number,
            created + CASE
                WHEN row_number() OVER ordered = 1 AND EXISTS (
                    SELECT FROM {ELEMENTS} AS earlier
                    WHERE earlier.identifier = :identifier::TEXT
                        AND earlier.created = element.created
                        AND earlier.place < element.place
                ) THEN {STEP}
                ELSE INTERVAL '0'
            END AS written
        FROM {ELEMENTS} AS element
        WHERE identifier = :identifier::TEXT
            AND (created, place) >= ((SELECT created FROM chosen), (SELECT place FROM chosen))
        WINDOW ordered AS (ORDER BY created, place)
        ORDER BY created, place
        LIMIT CASE WHEN (
            SELECT count(*) FROM {ELEMENTS} AS alike
            WHERE alike.identifier = :identifier::TEXT
                AND alike.created = (SELECT created FROM anchor)
        ) = 1 THEN 1 END
    ) AS element
),
changed AS MATERIALIZED (SELECT * FROM following WHERE number = 1 OR moved <> created),
removed_elements AS (SELECT identifier, created, place FROM changed),
{renumber(":content::JSONB")},
{DELETE_ELEMENTS},
{KEEP},
new_elements AS (
    SELECT
        identifier,
        number,
        CASE number WHEN 1 THEN :content::JSONB ELSE content END AS content,
        moved AS created
    FROM changed
),
{INSERT_ELEMENTS}{REMOVED}
""",
)


def pop(
    identifier: str, number: int, *, erase: bool, documents: bool
) -> Operation[tuple[Any, ...]]:
    """Remove the newest elements, and return them in order."""
    check_limit(number, "n")
    decode = _decoder(documents=documents)
    return _edit("pop from", identifier, POP, decode, number=number, **_kept(erase=erase))


def undo(identifier: str, *, erase: bool, documents: bool) -> Operation[tuple[Any, ...]]:
    """Remove the newest turn, from its user's element on, and return it."""
    decode = _decoder(documents=documents)
    return _edit("undo a turn of", identifier, UNDO, decode, **_kept(erase=erase))


def truncate(identifier: str, position: Position, *, erase: bool) -> Operation[int]:
    """Remove an element and all after it, and return their number."""
    offset, cursor = check_place(position)
    if cursor is None:
        query, place = TRUNCATE, {"offset": offset}
    else:
        query = TRUNCATE_AT_CURSOR
        place = {"time": cursor.time, "place": cursor.place or FIRST_PLACE}
    return _edit("truncate", identifier, query, _count, **place, **_kept(erase=erase))


def clear(identifier: str, *, keep_variables: bool, erase: bool) -> Operation[int]:
    """Remove all elements and, unless told otherwise, the variables; return their number."""
    return _edit(
        "clear",
        identifier,
        CLEAR,
        _count,
        keep_variables=bool(keep_variables),
        **_kept(erase=erase),
    )


def remove_element(
    identifier: str,
    position: Position,
    *,
    reason: str | None,
    author: str | None,
    erase: bool,
    documents: bool,
) -> Operation[Any]:
    """Remove one element, and return it."""
    return _edit(
        "remove an element of",
        identifier,
        REMOVE_ELEMENT,
        _one(identifier, position, documents=documents),
        **_anchor(position),
        **_kept(reason=reason, author=author, erase=erase),
    )


def replace(
    identifier: str,
    position: Position,
    element: Element,
    *,
    reason: str | None,
    author: str | None,
    erase: bool,
    documents: bool,
    invalid: OnInvalid,
) -> Request[Any]:
    """Replace one element, and return the previous one."""
    operation = _edit(
        "replace an element of",
        identifier,
        REPLACE,
        _one(identifier, position, documents=documents),
        content=encode_element(element, "element", repair=check_invalid(invalid)),
        **_anchor(position),
        **_kept("replace", reason=reason, author=author, erase=erase),
    )

    def build(line: Line) -> Operation[Any]:
        if line.has_turns:
            raise SchemaInvalid(
                f"replace an element of memory {identifier!r:.80}: the tables are of {line}, which "
                "keeps turns: truncate() where a turn begins, and remember the turns anew"
            )
        return operation

    return ByLine(build)


def _edit[T](
    verb: str,
    identifier: str,
    query: Query,
    decode: Callable[[Sequence[Row]], T],
    **values: object,
) -> Operation[T]:
    check_text(identifier, "identifier")
    name = f"{verb} memory {identifier!r:.80}"

    def decode_unless_refused(rows: Sequence[Row]) -> T:
        if rows and (refusal := rows[0][0]) is not None:
            raise ValueError(f"{name}: {refusal}")
        return decode([row[1:] for row in rows])

    return Operation(
        name=name,
        statements=(lock_memory(identifier), query(identifier=identifier, **values)),
        decode=decode_unless_refused,
    )


def _kept(
    action: str = "remove",
    *,
    reason: str | None = None,
    author: str | None = None,
    erase: bool,
) -> dict[str, object]:
    return {
        "action": action,
        "reason": check_optional(reason, "reason"),
        "author": check_optional(author, "author"),
        "erase": bool(erase),
    }


def _anchor(position: Position) -> dict[str, object]:
    offset, cursor = check_place(position)
    time, place = cursor or (None, None)
    return {"offset": offset, "time": time, "place": place}


def _count(rows: Sequence[Row]) -> int:
    return rows[0][0]


def _decoder(*, documents: bool) -> Callable[[Sequence[Row]], tuple[Any, ...]]:
    """Return a function that decodes removed elements: what draive cannot read to documents.

    They are removed already when they are decoded, so this must not raise.
    """
    decode, plain = decoder(documents=documents), decoder(documents=True)

    def decoded(content: str) -> Any:
        try:
            return decode(content, "the element")
        except StoredDataInvalid:
            try:
                return plain(content, "the element")
            except StoredDataInvalid:
                return content

    return lambda rows: tuple(decoded(content) for (content,) in rows)


def _one(identifier: str, position: Position, *, documents: bool) -> Callable[[Sequence[Row]], Any]:
    decode = _decoder(documents=documents)

    def one(rows: Sequence[Row]) -> Any:
        if not rows:
            raise ValueError(f"memory {identifier!r:.80} has no element at {position!r:.60}")
        return decode(rows)[0]

    return one
