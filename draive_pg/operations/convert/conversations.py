"""Convert conversations: elements to turns, and turns or contexts of agents to elements."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple

from draive_pg.codec.json import encode, parse
from draive_pg.errors import StoredDataInvalid
from draive_pg.lines.line import Store
from draive_pg.lines.turns import (
    Loss,
    Timed,
    elements_from_context,
    elements_from_turns,
    turns_from_elements,
)
from draive_pg.operations.conversations.relations import USE_INDEXES
from draive_pg.operations.convert.report import OnTarget, Report
from draive_pg.operations.operation import Operation, Query, Row, Steps, advisory_locks, read_rows

MAX_PAGE = 100  # conversations per statement
STEP = timedelta(microseconds=1)
OTHER = "the target has another conversation of this identifier: rename or remove one of them"
CHANGED = "the target was written to meanwhile: convert again"

# Identifier, time of creation, and number of snapshots of variables of each conversation.
CONVERSATIONS: Mapping[Store, LiteralString] = {
    "memories": """
    SELECT identifier, created, (
        SELECT count(*) FROM {schema}.memories_variables AS snapshot
        WHERE snapshot.identifier = conversation.identifier
    ) AS snapshots
    FROM {schema}.memories AS conversation""",
    "uuid_memories": """
    SELECT identifier::TEXT AS identifier, created, (
        SELECT count(*) FROM {schema}.memories_variables AS snapshot
        WHERE snapshot.memories = conversation.identifier
    ) AS snapshots
    FROM {schema}.memories AS conversation""",
    "conversation_memory": """
    SELECT thread_id AS identifier, min(created) AS created, 0 AS snapshots
    FROM {schema}.conversation_memory
    GROUP BY thread_id""",
    "agent_memory": """
    SELECT agent_uri || '#' || thread_id AS identifier, min(created) AS created, 0 AS snapshots
    FROM {schema}.agent_memory
    GROUP BY agent_uri, thread_id""",
}

# The documents of conversations; rows of one time have the order of `place`.
DOCUMENTS: Mapping[Store, LiteralString] = {
    "memories": """
    SELECT identifier, created, ctid AS place, content AS document
    FROM {schema}.memories_elements""",
    "uuid_memories": """
    SELECT memories::TEXT AS identifier, created, ctid AS place, content AS document
    FROM {schema}.memories_elements""",
    "conversation_memory": """
    SELECT thread_id AS identifier, created, identifier AS place, payload AS document
    FROM {schema}.conversation_memory""",
    "agent_memory": """
    SELECT DISTINCT ON (agent_uri, thread_id)
        agent_uri || '#' || thread_id AS identifier, created, 0 AS place, context AS document
    FROM {schema}.agent_memory
    ORDER BY agent_uri, thread_id, created DESC, agent_memory.identifier DESC""",
}

LIST = {
    store: Query(
        f"convert.list_{store}",
        f"""
SELECT identifier, to_json(created) #>> '{{}}', snapshots
FROM ({relation}
) AS conversation
WHERE :after::TEXT IS NULL OR identifier > :after::TEXT
ORDER BY identifier
LIMIT :limit::INT8
""",
    )
    for store, relation in CONVERSATIONS.items()
}

READ = {
    store: Query(
        f"convert.read_{store}",
        f"""
SELECT identifier, to_json(created) #>> '{{}}', document::TEXT
FROM ({relation}
) AS stored
WHERE identifier = ANY (:identifiers::TEXT[])
ORDER BY identifier, stored.created, place
""",
    )
    for store, relation in DOCUMENTS.items()
}

# The caller holds the locks. A conversation with another number of rows than was read is left out.
GIVEN: LiteralString = """
WITH given AS (
    SELECT *
    FROM json_to_recordset(:lines::JSON)
        AS line (identifier TEXT, created TIMESTAMPTZ, stored INT8, rows JSON)
    WHERE stored = (
        SELECT count(*) FROM {table} AS stored WHERE stored.{key} = line.identifier
    )
),
item AS (
    SELECT given.identifier, row.value, row.number
    FROM given
    CROSS JOIN LATERAL json_array_elements(given.rows) WITH ORDINALITY AS row (value, number)
),
"""

WRITE: Mapping[Store, Query] = {
    "memories": Query(
        "convert.write_memories",
        GIVEN.replace("{table}", "{schema}.memories_elements").replace("{key}", "identifier")
        + """
conversation AS (
    INSERT INTO {schema}.memories (identifier, created)
    SELECT identifier, created FROM given
    ON CONFLICT (identifier) DO NOTHING
),
written AS (
    INSERT INTO {schema}.memories_elements (identifier, content, created)
    SELECT identifier, (value -> 'document')::JSONB, (value ->> 'created')::TIMESTAMPTZ
    FROM item
    ORDER BY identifier, number
)
SELECT identifier FROM given
""",
    ),
    "conversation_memory": Query(
        "convert.write_conversation_memory",
        GIVEN.replace("{table}", "{schema}.conversation_memory").replace("{key}", "thread_id")
        + """
written AS (
    INSERT INTO {schema}.conversation_memory (thread_id, identifier, turn, payload, created)
    SELECT
        identifier,
        (value #>> '{document,identifier}')::UUID,
        value #>> '{document,turn}',
        (value -> 'document')::JSONB,
        (value ->> 'created')::TIMESTAMPTZ
    FROM item
    ORDER BY identifier, number
)
SELECT identifier FROM given
""",
    ),
}


class Conversation(NamedTuple):
    """A conversation in a list of them."""

    identifier: str
    created: str
    snapshots: int


class Addition(NamedTuple):
    """What is added to a conversation of the target.

    Attributes
    ----------
    rows : int
        How many rows the target has of it.
    last : datetime | None
        The time of the newest of them.
    used : sequence of str
        The identifiers of its turns.
    elements : sequence of Timed
        The elements to add.
    position : int
        The position of the first.
    losses : sequence of Loss
        What has no counterpart in the whole conversation.
    """

    rows: int
    last: datetime | None
    used: Sequence[str]
    elements: Sequence[Timed]
    position: int
    losses: Sequence[Loss]


def convert_conversations(
    source: Store,
    target: Store,
    on_target: OnTarget,
    report: Report,
    *,
    is_new: bool,
    dry_run: bool,
) -> Steps[None]:
    """Convert all conversations of a store, a page at a time.

    Parameters
    ----------
    source, target : Store
        The stores.
    on_target : callable
        Makes the requests for the target.
    report : Report
        Gets the results.
    is_new : bool
        Whether the target does not exist yet.
    dry_run : bool
        Whether to write nothing.
    """
    after: str | None = None
    while page := (yield _list(source, after)):
        identifiers = [each.identifier for each in page]
        found: Mapping[str, Sequence[Row]] = yield _read(source, identifiers)
        there: Mapping[str, Sequence[Row]] = (
            {} if is_new else (yield on_target(_read(target, identifiers)))
        )
        additions: dict[str, Addition] = {}
        lines: dict[str, str] = {}
        for each in page:
            name = each.identifier
            try:
                addition = _addition(name, source, found.get(name, ()), target, there.get(name, ()))
                if addition.elements:
                    lines[name] = _line(each, target, addition)
                additions[name] = addition
            except (ValueError, StoredDataInvalid) as error:
                report.refuse("conversations", name, str(error))
        if lines and not dry_run:
            written: Sequence[str] = yield on_target(_write(target, lines))
            for name in lines.keys() - {*written}:
                report.refuse("conversations", name, CHANGED)
                del additions[name]
        for each in page:
            name = each.identifier
            if (addition := additions.get(name)) is None:
                continue
            report.lose("conversations", name, addition.losses)
            if each.snapshots:
                report.lose("conversations", name, ["variables"])
            if name not in found:
                report.lose("conversations", name, ["conversation without elements"])
            report.done["unchanged"] += name in found and name not in lines
            report.done["conversations"] += name in lines
            report.done["elements"] += len(addition.elements)
        report.bar.update(len(page))
        after = identifiers[-1]


def _list(store: Store, after: str | None) -> Operation[Sequence[Conversation]]:
    return read_rows(
        "convert: list the conversations",
        LIST[store](after=after, limit=MAX_PAGE),
        lambda rows: [Conversation(*row) for row in rows],
    )


def _read(store: Store, identifiers: Sequence[str]) -> Operation[Mapping[str, Sequence[Row]]]:
    def decode(rows: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
        found: dict[str, list[Row]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(row)
        return found

    return read_rows(
        f"convert: read conversations from {identifiers[0]!r:.80} on",
        READ[store](identifiers=identifiers),
        decode,
    )


def _write(store: Store, lines: Mapping[str, str]) -> Operation[Sequence[str]]:
    return Operation(
        name=f"convert: write {len(lines)} conversations",
        # Not `lock_memories`, which needs the one line of the database: here it may have two.
        statements=(
            USE_INDEXES(),
            advisory_locks(f"memories/{identifier}" for identifier in lines),
            WRITE[store](lines=f"[{','.join(lines.values())}]"),
        ),
        decode=lambda rows: [row[0] for row in rows],
    )


def _addition(
    name: str, source: Store, rows: Sequence[Row], target: Store, there: Sequence[Row]
) -> Addition:
    """Return what the target lacks; raise ValueError if it has something else, or for bad rows."""
    elements, losses = _elements(source, name, rows)
    expected = elements
    if target == "conversation_memory":
        turns, more = turns_from_elements(name, elements)
        losses = [*losses, *more]
        expected, _ = elements_from_turns(name, turns)
    stored, _ = _elements(target, name, there)
    count = min(len(stored), len(expected))
    if [each.document for each in stored[:count]] != [each.document for each in expected[:count]]:
        raise ValueError(OTHER)
    # The positions are those of the elements read, unless one of them became several.
    added = elements if len(elements) == len(expected) else expected
    last = _time(there[-1][1]) if there else None
    used: Sequence[str] = []
    if target == "conversation_memory":
        used = [parse(document, "a document")["identifier"] for _, _, document in there]
    return Addition(len(there), last, used, added[len(stored) :], len(stored), losses)


def _elements(
    store: Store, name: str, rows: Sequence[Row]
) -> tuple[Sequence[Timed], Sequence[Loss]]:
    """Return the elements of a conversation's rows."""
    documents = [parse(document, "a document") for _, _, document in rows]
    if store == "conversation_memory":
        return elements_from_turns(name, documents)
    times = [_time(created) for _, created, _ in rows]
    if store != "agent_memory" or not rows:
        return [*map(Timed, times, documents)], []
    elements, losses = elements_from_context(documents[0])
    return [Timed(times[0], each) for each in elements], losses


def _line(conversation: Conversation, target: Store, addition: Addition) -> str:
    """Return the JSON text of the rows to add."""
    name, elements = conversation.identifier, addition.elements
    if target == "conversation_memory":
        turns, _ = turns_from_elements(name, elements, start=addition.position, used=addition.used)
        rows = _in_order(turns, addition.last)
    else:
        rows = [
            {"created": each.created.isoformat(), "document": each.document} for each in elements
        ]
    return encode(
        {
            "identifier": name,
            "created": min(_time(conversation.created), elements[0].created).isoformat(),
            "stored": addition.rows,
            "rows": rows,
        },
        "the conversation",
    )


def _in_order(turns: Sequence[Any], last: datetime | None) -> list[dict[str, Any]]:
    """Return rows of turns with times of their own: draive orders equal times by identifier."""
    rows: list[dict[str, Any]] = []
    for turn in turns:
        created = datetime.fromisoformat(turn["created"])
        last = created if last is None else max(created, last + STEP)
        rows.append({"created": last.isoformat(), "document": turn})
    return rows


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"its time {text!r:.60} cannot be represented") from error
