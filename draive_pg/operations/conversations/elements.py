"""Read the stored elements of one memory in pages, with cursors that other writers do not move."""

import re
from collections.abc import Callable, Sequence
from typing import Any, LiteralString, NamedTuple

from draive_pg.codec.json import parse
from draive_pg.codec.timestamps import from_epoch_us
from draive_pg.codec.validation import MAX_INTEGER, check_limit, check_position, check_text, shown
from draive_pg.models.conversations import StoredElement
from draive_pg.models.record import Records
from draive_pg.operations.conversations.expressions import epoch_us
from draive_pg.operations.conversations.relations import ELEMENTS
from draive_pg.operations.operation import (
    Query,
    Row,
    Steps,
    decode_rows,
    read_rows,
    warn_skipped,
    workflow,
)

type Position = int | str
"""The position of an element in its memory, or the cursor of a `StoredElement`."""

# At least ten digits, so that a position given as text is no cursor.
CURSOR = re.compile(r"(-?\d{10,19}|-?infinity)(\(\d+,\d+\))?")

# The least and the greatest value of `place`: one is before, one after all elements of a time.
FIRST_PLACE = "(0,0)"
LAST_PLACE = "(4294967295,65535)"


def time_of(cursor: LiteralString) -> LiteralString:
    """Return the SQL of a cursor's time. The arithmetic is exact for all times of PostgreSQL."""
    return f"""CASE WHEN {cursor} LIKE '%infinity' THEN {cursor} ELSE 'epoch' END::TIMESTAMPTZ
    + CASE WHEN {cursor} LIKE '%infinity' THEN INTERVAL '0' ELSE make_interval(
        hours => ({cursor}::INT8 / 3600000000)::INT,
        secs => ({cursor}::INT8 % 3600000000)::FLOAT8 / 1000000
    ) END"""


# The cursor of an element is its time, and its place if another element has the same time: so it
# stays valid if the element is replaced. One more row than `limit` tells whether there are more.
CURSOR_OF: LiteralString = """
CASE WHEN isfinite(created)
    THEN to_char((extract(EPOCH FROM created) * 1000000)::INT8, 'FM9999999990000000000')
    ELSE created::TEXT
END || CASE
    WHEN count(*) OVER (PARTITION BY created) > 1 OR created IN (bounds.after, bounds.before)
        THEN place::TEXT
    ELSE ''
END"""


def _page(direction: LiteralString) -> LiteralString:
    return f"""
WITH bounds AS (
    SELECT
        {time_of(":after_time::TEXT")} AS after,
        {time_of(":before_time::TEXT")} AS before
),
page AS (
    SELECT created, place, moment, content
    FROM {ELEMENTS} AS element
    WHERE identifier = :identifier::TEXT
        AND (created, place) > ((SELECT after FROM bounds), :after_place::TID)
        AND (created, place) < ((SELECT before FROM bounds), :before_place::TID)
    ORDER BY created {direction}, place {direction}
    LIMIT :limit::INT8
),
first AS (
    SELECT created, place FROM page ORDER BY created, place LIMIT 1
)
SELECT
    (
        SELECT count(*) FROM {ELEMENTS} AS element
        WHERE identifier = :identifier::TEXT AND created < (SELECT created FROM first)
    ) + (
        SELECT count(*) FROM {ELEMENTS} AS element
        WHERE identifier = :identifier::TEXT
            AND created = (SELECT created FROM first)
            AND place < (SELECT place FROM first)
    ) + row_number() OVER (ORDER BY created, place) - 1,
    {epoch_us("moment")},
    {CURSOR_OF},
    content::TEXT
FROM page, bounds
ORDER BY created, place
"""


NEWEST = Query("memories.elements", _page("DESC"))
OLDEST = Query("memories.elements_after", _page("ASC"))


class Cursor(NamedTuple):
    """A place in the order of the elements of a memory; ``place`` only among equal times."""

    time: str
    place: str | None = None

    @classmethod
    def parse(cls, text: object, what: str) -> "Cursor":
        """Parse the cursor of a `StoredElement`.

        Raises
        ------
        TypeError, ValueError
            If it is none.
        """
        match = CURSOR.fullmatch(check_text(text, what))
        if match is None:
            raise ValueError(f"{what} must be the cursor of an element, not {shown(text)}")
        return cls(match[1], match[2])


type Decode = Callable[[str, str], Any]
"""Decode the JSON text of an element; the second argument names it in errors."""


def decoder(*, documents: bool) -> Decode:
    """Return a function that decodes elements to documents, or to objects of draive."""
    if documents:
        return parse
    from draive_pg.codec.draive_elements import decode_element

    return lambda content, what: decode_element(content, lambda: what)


@workflow
def elements(
    identifier: str,
    limit: int | None,
    before: str | None,
    after: str | None,
    *,
    lenient: bool,
    documents: bool,
) -> Steps[Records[StoredElement]]:
    """Return a page of elements in order: the newest, or with ``after`` the oldest after it."""
    check_text(identifier, "identifier")
    check_limit(limit, "limit")
    lower = Cursor("-infinity") if after is None else Cursor.parse(after, "after")
    upper = Cursor("infinity") if before is None else Cursor.parse(before, "before")
    decode = decoder(documents=documents)
    forward = after is not None
    statement = (OLDEST if forward else NEWEST)(
        identifier=identifier,
        after_time=lower.time,
        after_place=lower.place or (LAST_PLACE if forward else FIRST_PLACE),
        before_time=upper.time,
        before_place=upper.place or (LAST_PLACE if before is None else FIRST_PLACE),
        limit=None if limit is None else min(limit + 1, MAX_INTEGER),
    )

    def decoded(row: Row) -> StoredElement:
        position, created, cursor, content = row
        what = f"memory {identifier!r:.80}, element {position},"
        return StoredElement(position, from_epoch_us(created), cursor, decode(content, what))

    def paged(rows: Sequence[Row]) -> tuple[Records[StoredElement], tuple[str, ...]]:
        more = limit is not None and len(rows) > limit
        if more:
            rows = rows[:-1] if forward else rows[1:]
        found, skipped = decode_rows(rows, decoded, skip_invalid=lenient)
        page = Records(StoredElement, found)
        page.truncated = more
        return page, skipped

    found, skipped = yield read_rows(
        f"read elements of memory {identifier!r:.80}", statement, paged
    )
    warn_skipped(skipped)
    return found


def check_place(position: object) -> tuple[int | None, Cursor | None]:
    """Return a position, or the cursor of an element.

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    if isinstance(position, str):
        return None, Cursor.parse(position, "position")
    number = check_position(position, "position")
    if number is None:
        raise TypeError("position must be an int or the cursor of an element, not None")
    return number, None
