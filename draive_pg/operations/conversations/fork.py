"""Copy a memory, or its first elements, to another identifier, or rename it."""

from collections.abc import Sequence
from typing import LiteralString

from draive_pg.codec.validation import check_position, check_text
from draive_pg.errors import MemoryExists, SchemaInvalid
from draive_pg.lines.line import Line
from draive_pg.operations.conversations import annotations
from draive_pg.operations.conversations.relations import (
    CONVERSATIONS,
    CREATE_CONVERSATIONS,
    ELEMENTS,
    INSERT_ELEMENTS,
    INSERT_SNAPSHOTS,
    REMOVE_CONVERSATIONS,
    SNAPSHOTS,
    TURNS,
    lock_for_removal,
    lock_memory,
)
from draive_pg.operations.conversations.turns import FORK_TURNS, RENAME_TURNS
from draive_pg.operations.operation import (
    ByLine,
    Fallback,
    Operation,
    Query,
    Row,
    Steps,
    transactional,
    workflow,
)

# With a position, variables are copied up to the time of the element after it.
FORK = Query(
    "memories.fork",
    f"""
WITH source AS (
    SELECT identifier FROM {CONVERSATIONS} AS conversation
    WHERE identifier = :identifier::TEXT
),
numbered AS (
    SELECT
        content,
        created,
        moment,
        row_number() OVER (ORDER BY created, place) - 1 AS position
    FROM {ELEMENTS} AS element
    WHERE identifier = :identifier::TEXT
),
new_conversations AS (
    SELECT :new_identifier::TEXT AS identifier, now() AS created
    FROM source
    WHERE :position::INT8 IS NULL
        OR EXISTS (SELECT FROM numbered WHERE position = :position::INT8)
),
{CREATE_CONVERSATIONS},
new_snapshots AS (
    SELECT
        created_conversations.identifier,
        row_number() OVER (ORDER BY snapshot.created, snapshot.place) AS number,
        snapshot.variables,
        snapshot.created
    FROM created_conversations, {SNAPSHOTS} AS snapshot
    WHERE snapshot.identifier = :identifier::TEXT
        AND NOT EXISTS (
            SELECT FROM numbered
            WHERE position = :position::INT8 + 1 AND numbered.created <= snapshot.created
        )
),
{INSERT_SNAPSHOTS},
new_elements AS (
    SELECT
        created_conversations.identifier,
        numbered.position AS number,
        numbered.content,
        numbered.moment AS created
    FROM created_conversations, numbered
    WHERE :position::INT8 IS NULL OR numbered.position <= :position::INT8
),
{INSERT_ELEMENTS}
SELECT
    EXISTS (SELECT FROM source) AS existed,
    (SELECT count(*) FROM numbered) AS elements,
    EXISTS (SELECT FROM created_conversations) AS created
""",
)


# INSERT and DELETE instead of UPDATE: the role may lack UPDATE.
RENAME = Query(
    "memories.rename",
    f"""
WITH source AS (
    SELECT identifier, created FROM {CONVERSATIONS} AS conversation
    WHERE identifier = :identifier::TEXT
),
new_conversations AS (
    SELECT :new_identifier::TEXT AS identifier, source.created FROM source
),
{CREATE_CONVERSATIONS},
new_snapshots AS (
    SELECT
        created_conversations.identifier,
        row_number() OVER (ORDER BY snapshot.created, snapshot.place) AS number,
        snapshot.variables,
        snapshot.created
    FROM created_conversations, {SNAPSHOTS} AS snapshot
    WHERE snapshot.identifier = :identifier::TEXT
),
{INSERT_SNAPSHOTS},
new_elements AS (
    SELECT
        created_conversations.identifier,
        row_number() OVER (ORDER BY element.created, element.place) AS number,
        element.content,
        element.moment AS created
    FROM created_conversations, {ELEMENTS} AS element
    WHERE element.identifier = :identifier::TEXT
),
{INSERT_ELEMENTS},
removed AS (
    SELECT :identifier::TEXT AS identifier FROM created_conversations
),
{REMOVE_CONVERSATIONS}
SELECT
    EXISTS (SELECT FROM source) AS existed,
    EXISTS (SELECT FROM created_conversations) AS created,
    EXISTS (SELECT FROM source) AS listed
""",
)


# What belongs to a memory in tables of draive_pg, and moves with it: tables and columns.
BELONGINGS: Sequence[tuple[LiteralString, LiteralString]] = (
    (annotations.TABLE, annotations.COLUMNS),
    (
        "draive_pg_removed_elements",
        "identifier, created, action, removed, role, author, reason, content",
    ),
)
NOT_MOVED = Fallback({table: "" for table, _ in BELONGINGS})


def _moves(subject: LiteralString, source: LiteralString) -> Sequence[Query]:
    """Return the queries that move belongings with a memory, if that is going to be renamed."""
    return [
        Query(
            f"{subject}.rename.{table.removeprefix('draive_pg_')}",
            f"""
WITH moved AS (
    DELETE FROM {{schema}}.{table} AS belonging
    WHERE identifier = :identifier::TEXT
        AND EXISTS (SELECT TRUE FROM {source} = :identifier::TEXT)
        AND NOT EXISTS (
            SELECT TRUE FROM {CONVERSATIONS} AS target
            WHERE target.identifier = :new_identifier::TEXT
        )
    RETURNING *
)
INSERT INTO {{schema}}.{table} ({columns})
SELECT :new_identifier::TEXT, {columns.removeprefix("identifier, ")} FROM moved
""",
        )
        for table, columns in BELONGINGS
    ]


MOVES = _moves("memories", f"{CONVERSATIONS} AS source WHERE source.identifier")
MOVES_TURNS = _moves("turns", f"{TURNS} AS turn WHERE turn.thread_id")


def fork(identifier: str, new_identifier: str, position: int | None) -> ByLine[bool]:
    """Copy a memory, or its elements up to a position; return whether the memory exists."""
    check_text(identifier, "identifier")
    check_text(new_identifier, "new_identifier")
    check_position(position, "position")
    name = f"fork memory {identifier!r:.80}"

    def decode(rows: Sequence[Row]) -> bool:
        existed, elements, created = rows[0]
        if existed and position is not None and position >= elements:
            raise ValueError(f"{name}: position {position} is out of range ({elements} elements)")
        return _check_copied(name, new_identifier, existed=existed, created=created)

    def operation(query: Query) -> Operation[bool]:
        return Operation(
            name=name,
            statements=(
                lock_memory(new_identifier),
                query(identifier=identifier, new_identifier=new_identifier, position=position),
            ),
            decode=decode,
        )

    @workflow
    def fork_thread() -> Steps[bool]:
        if (yield operation(FORK_TURNS)):
            return True
        return (yield operation(FORK))  # of an agent: its elements become turns

    return ByLine(lambda line: fork_thread() if line.has_turns else operation(FORK))


def rename(identifier: str, new_identifier: str) -> ByLine[bool]:
    """Move a memory to another identifier; return whether the memory exists."""
    check_text(identifier, "identifier")
    check_text(new_identifier, "new_identifier")
    name = f"rename memory {identifier!r:.80}"

    def decode(rows: Sequence[Row]) -> bool:
        existed, created, listed = rows[0]
        if listed and not existed:
            raise SchemaInvalid(f"{name}: it is of an agent of draive, which names it: fork it")
        return _check_copied(name, new_identifier, existed=existed, created=created)

    # A refusal rolls back the moves: draive takes no locks, and may create the target after them.
    @transactional
    def build(line: Line) -> Steps[bool]:
        queries = (*MOVES_TURNS, RENAME_TURNS) if line.has_turns else (*MOVES, RENAME)
        identifiers = {"identifier": identifier, "new_identifier": new_identifier}
        yield from lock_for_removal(name, [identifier, new_identifier])
        return (
            yield Operation(
                name=name,
                statements=tuple(query(**identifiers) for query in queries),
                fallback=NOT_MOVED,
                decode=decode,
            )
        )

    return ByLine(build)


def _check_copied(name: str, new_identifier: str, *, existed: bool, created: bool) -> bool:
    if existed and not created:
        raise MemoryExists(
            f"{name}: memory {new_identifier!r:.80} exists already; "
            "remove it first, or choose another identifier"
        )
    return existed
