"""Recall and remember one conversation as the turns of draive 0.100 and later."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import dropwhile
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID

from draive_pg.codec.json import OnInvalid, check_invalid, parse
from draive_pg.codec.validation import check_limit, check_sent, check_text
from draive_pg.operations.conversations.keys import (
    EXPIRATION,
    FORGET_EXPIRED,
    FRESH,
    IS_FRESH,
    key_values,
)
from draive_pg.operations.conversations.relations import (
    CONVERSATIONS,
    PARTS,
    STEP,
    TURNS,
    lock_memory,
)
from draive_pg.operations.operation import (
    Operation,
    Query,
    Row,
    Steps,
    decode_rows,
    next_time,
    read_rows,
    warn_skipped,
    workflow,
)

if TYPE_CHECKING:
    from draive_pg.codec.draive_turns import Turn

# The order is that of draive. If the newest turns do not contain one of the user, all turns since
# the newest of the user are read; both subqueries scan the index backwards and stop early.
RECALL_TURNS = Query(
    "turns.recall",
    f"""
SELECT written, payload
FROM (
    SELECT created::TEXT AS written, created, identifier, payload::TEXT AS payload
    FROM {TURNS} AS turn
    WHERE thread_id = :identifier::TEXT
    ORDER BY created DESC, identifier DESC
    LIMIT CASE WHEN :limit::INT8 IS NOT NULL THEN greatest(:limit::INT8, (
        SELECT number
        FROM (
            SELECT turn, row_number() OVER (ORDER BY created DESC, identifier DESC) AS number
            FROM {TURNS} AS turn
            WHERE thread_id = :identifier::TEXT
        ) AS backward
        WHERE turn = 'user'
        LIMIT 1
    )) END
) AS recalled
ORDER BY created, identifier
""",
)

# The newest turns before one, in order.
FETCH_TURNS = Query(
    "turns.fetch",
    f"""
SELECT written, payload
FROM (
    SELECT created::TEXT AS written, created, identifier, payload::TEXT AS payload
    FROM {TURNS} AS turn
    WHERE thread_id = :identifier::TEXT
        AND (:before::UUID IS NULL OR (created, identifier) < (
            SELECT created, identifier
            FROM {TURNS} AS turn
            WHERE thread_id = :identifier::TEXT AND identifier = :before::UUID
        ))
    ORDER BY created DESC, identifier DESC
    LIMIT :limit::INT8
) AS page
ORDER BY created, identifier
""",
)


# The server's times give the order; the payloads keep those of the client.
def _remember(*, once: bool = False) -> LiteralString:
    fresh = f"{FRESH},\n" if once else ""
    where = f"\nWHERE {IS_FRESH}" if once else ""
    return f"""
WITH {fresh}batch AS (
    SELECT {next_time("max(created)")} AS start
    FROM {TURNS} AS turn
    WHERE thread_id = :identifier::TEXT
)
INSERT INTO {TURNS} (thread_id, identifier, turn, payload, created)
SELECT
    :identifier::TEXT,
    (item.payload ->> 'identifier')::UUID,
    item.payload ->> 'turn',
    item.payload::JSONB,
    batch.start + (item.number - 1) * {STEP}
FROM batch,
    json_array_elements(:turns::JSON) WITH ORDINALITY AS item (payload, number){where}
ORDER BY item.number
"""


REMEMBER_TURNS = Query("turns.remember", _remember())
REMEMBER_TURNS_ONCE = Query("turns.remember_once", _remember(once=True))

# Copies whole turns, with what elements have no place for. A position may be within a turn, whose
# other parts are left out; the positions are those of the elements of `relations.ELEMENTS`.
FORK_TURNS = Query(
    "turns.fork",
    f"""
WITH source AS (
    SELECT identifier, created, turn, payload, payload -> 'content' AS content FROM {TURNS} AS turn
    WHERE thread_id = :identifier::TEXT
),
numbered AS (
    SELECT
        turn.identifier,
        part.part_number,
        count(*) FILTER (WHERE coalesce(part.starts, turn.content = '[]'))
            OVER (ORDER BY turn.created, turn.identifier, part.part_number) - 1 AS position
    FROM source AS turn
    LEFT JOIN LATERAL (
        SELECT NULL::INT8 AS part_number, TRUE AS starts WHERE turn.turn = 'user'
        UNION ALL
        SELECT number, type IS DISTINCT FROM lag(type) OVER (ORDER BY number)
        FROM ({PARTS}) AS part
        WHERE turn.turn <> 'user'
    ) AS part ON TRUE
),
kept AS (
    SELECT
        identifier,
        bool_and(position <= :position::INT8) IS NOT FALSE AS whole,
        max(part_number) FILTER (WHERE position <= :position::INT8) AS last
    FROM numbered
    GROUP BY identifier
    HAVING bool_or(position <= :position::INT8) IS NOT FALSE
),
copied AS (
    INSERT INTO {TURNS} (thread_id, identifier, turn, payload, created)
    SELECT
        :new_identifier::TEXT,
        source.identifier,
        source.turn,
        CASE
            WHEN kept.whole THEN source.payload
            ELSE jsonb_set(source.payload, '{{content}}', (
                SELECT jsonb_agg(value ORDER BY number)
                FROM jsonb_array_elements(source.payload -> 'content')
                    WITH ORDINALITY AS part (value, number)
                WHERE number <= kept.last
            ))
        END,
        source.created
    FROM kept
    JOIN source USING (identifier)
    WHERE (:position::INT8 IS NULL OR :position::INT8 <= (SELECT max(position) FROM numbered))
        AND NOT EXISTS (
            SELECT FROM {CONVERSATIONS} AS target WHERE target.identifier = :new_identifier::TEXT
        )
    RETURNING TRUE
)
SELECT
    EXISTS (SELECT FROM source) AS existed,
    (SELECT max(position) + 1 FROM numbered) AS elements,
    EXISTS (SELECT FROM copied) AS created
""",
)

# INSERT and DELETE instead of UPDATE: the role may lack UPDATE.
RENAME_TURNS = Query(
    "turns.rename",
    f"""
WITH copied AS (
    INSERT INTO {TURNS} (thread_id, identifier, turn, payload, created)
    SELECT :new_identifier::TEXT, identifier, turn, payload, created
    FROM {TURNS} AS turn
    WHERE thread_id = :identifier::TEXT
        AND NOT EXISTS (
            SELECT FROM {CONVERSATIONS} AS target WHERE target.identifier = :new_identifier::TEXT
        )
    RETURNING TRUE
),
removed AS (
    DELETE FROM {TURNS} AS turn
    WHERE thread_id = :identifier::TEXT AND EXISTS (SELECT FROM copied)
)
SELECT
    EXISTS (SELECT FROM {TURNS} AS turn WHERE thread_id = :identifier::TEXT) AS existed,
    EXISTS (SELECT FROM copied) AS created,
    EXISTS (
        SELECT FROM {CONVERSATIONS} AS conversation
        WHERE conversation.identifier = :identifier::TEXT
    ) AS listed
""",
)


def remember(
    identifier: str,
    turns: Sequence[object],
    *,
    key: str | None = None,
    key_expiration: timedelta = EXPIRATION,
    invalid: OnInvalid = "refuse",
) -> Operation[None]:
    """Append turns in order; with a key, once."""
    from draive_pg.codec.draive_turns import encode_turn

    check_text(identifier, "identifier")
    repair = check_invalid(invalid)
    documents = ",".join(
        [encode_turn(turn, f"items[{n}]", repair=repair) for n, turn in enumerate(turns)]
    )
    sent = check_sent(f"[{documents}]", "the items together are")
    if key is None:
        written = (REMEMBER_TURNS(identifier=identifier, turns=sent),)
    else:
        values = key_values(key, key_expiration)
        once = REMEMBER_TURNS_ONCE(identifier=identifier, turns=sent, **values)
        written = (FORGET_EXPIRED(identifier=identifier), once)
    return Operation(
        name=f"remember in memory {identifier!r:.80}",
        statements=(lock_memory(identifier), *written),
    )


@workflow
def recall(identifier: str, limit: int | None, *, lenient: bool) -> "Steps[tuple[Turn, ...]]":
    """Return turns that can be replayed to a model: the first is the user's."""
    check_text(identifier, "identifier")
    check_limit(limit, "limit")
    turns, skipped = yield read_rows(
        f"recall memory {identifier!r:.80}",
        RECALL_TURNS(identifier=identifier, limit=limit),
        partial(_decoded, identifier, lenient=lenient),
    )
    warn_skipped(skipped)
    return turns


def fetch(identifier: str, limit: int, before: UUID | None) -> "Operation[tuple[Turn, ...]]":
    """Return the newest turns as they are stored, of those before a turn."""
    return read_rows(
        f"fetch turns of memory {identifier!r:.80}",
        FETCH_TURNS(identifier=identifier, limit=limit, before=before),
        lambda rows: tuple(turn for _, turn in _read(identifier, rows, lenient=False)[0]),
    )


def _decoded(
    identifier: str, rows: Sequence[Row], *, lenient: bool
) -> "tuple[tuple[Turn, ...], tuple[str, ...]]":
    found, skipped = _read(identifier, rows, lenient=lenient)
    calls = [_calls(document) for document, _ in found]
    requests = {call for requested, _ in calls for call in requested}
    responses = {call for _, answered in calls for call in answered}
    complete = (
        turn
        for (_, turn), (requested, answered) in zip(found, calls, strict=True)
        if requested <= responses and answered <= requests
    )
    return tuple(dropwhile(lambda turn: turn.turn != "user", complete)), skipped


def _read(
    identifier: str, rows: Sequence[Row], *, lenient: bool
) -> "tuple[tuple[tuple[Mapping[str, Any], Turn], ...], tuple[str, ...]]":
    """Return the documents and turns of rows, and why others were skipped."""
    from draive_pg.codec.draive_turns import decode_turn

    def decode(row: Row) -> tuple[Mapping[str, Any], "Turn"]:
        where = f"memory {identifier!r:.80}, turn of {row[0]},"
        document = parse(row[1], where)
        return document, decode_turn(document, where)

    return decode_rows(rows, decode, skip_invalid=lenient)


def _calls(document: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Return the identifiers of the tool requests and of the responses in a turn."""
    calls: dict[str, set[str]] = {"tool_request": set(), "tool_response": set()}
    for part in document["content"]:
        event = part.get("event")
        if event in calls and part.get("content"):
            calls[event].add(part["content"]["artifact"]["identifier"])
    return calls["tool_request"], calls["tool_response"]
