"""Where conversations are stored in the tables of each line of draive, and the locks of writers.

Each statement about conversations is written once, on placeholders for relations of conversations,
elements and variables, and for the writes to them. An element is a document as draive 0.89 writes
it; the relations of other lines convert. Writes read common table expressions of fixed names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, LiteralString, cast

from draive_pg.lines.line import LINE_89, TABLES, Line, Store, detect, present_stores
from draive_pg.lines.turns import HANDLING
from draive_pg.operations.operation import (
    Operation,
    Query,
    Relations,
    Row,
    Statement,
    advisory_lock,
    advisory_locks,
)

# Columns identifier and created.
CONVERSATIONS: LiteralString = "{conversations}"
# Columns identifier, created, place, content, and moment. Rows are ordered by `created`; `place`
# gives rows with the same `created` one order in every statement. `moment` is the time of the
# element itself, which draive may write later, with the rest of its turn.
ELEMENTS: LiteralString = "{elements}"
# Whether an index returns elements by identifier and `created`, so that a limit ends the scan.
ARE_INDEXED: LiteralString = "{are_indexed}"
# Columns identifier and created of the rows with elements: faster than `ELEMENTS` for times.
WRITES: LiteralString = "{writes}"
# Columns identifier, created, place and variables.
SNAPSHOTS: LiteralString = "{snapshots}"

# Each is one or several common table expressions. `created_conversations` has the identifiers of
# `new_conversations (identifier, created)` that did not exist. The others write the rows of
# `new_elements (identifier, number, content, created)` in order, and those of
# `new_snapshots (identifier, number, variables, created)`, or remove `removed (identifier)`, or
# the elements `removed_elements (identifier, created, place)` of one conversation, or the
# variables of `cleared (identifier)`. `checked` has the reason why the elements `chosen` cannot be
# removed, or NULL.
CREATE_CONVERSATIONS: LiteralString = "{create_conversations}"
INSERT_ELEMENTS: LiteralString = "{insert_elements}"
INSERT_SNAPSHOTS: LiteralString = "{insert_snapshots}"
CHECK_REMOVAL: LiteralString = "{check_removal}"
DELETE_ELEMENTS: LiteralString = "{delete_elements}"
DELETE_SNAPSHOTS: LiteralString = "{delete_snapshots}"
REMOVE_CONVERSATIONS: LiteralString = "{remove_conversations}"

ORDER: LiteralString = "WINDOW ordered AS (PARTITION BY identifier ORDER BY created, place)"

# Elements with their numbers, and with `moment` ascending: draive may store one time for a question
# and its answer, so an input gets the time of the element after it if that is earlier.
NUMBERED: LiteralString = f"""(
    SELECT
        identifier,
        row_number() OVER ordered AS number,
        max(moment) OVER ordered AS created,
        content
    FROM (
        SELECT
            identifier,
            created,
            place,
            CASE content ->> 'type'
                WHEN 'model_input' THEN least(moment, lead(moment) OVER ordered) ELSE moment
            END AS moment,
            content
        FROM {ELEMENTS} AS element
        {ORDER}
    ) AS element
    {ORDER}
)"""

# The tables to which objects of draive are written: of elements, and of turns.
ELEMENT_TABLES: LiteralString = "{element_tables}"
TURNS: LiteralString = "{turns}"

# The planner merges these subqueries into a statement.
MEMORIES: Mapping[LiteralString, LiteralString] = {
    ELEMENT_TABLES: "{schema}.memories",
    CONVERSATIONS: "{schema}.memories",
    ELEMENTS: """(
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM {schema}.memories_elements
    )""",
    ARE_INDEXED: "TRUE",
    WRITES: "{schema}.memories_elements",
    SNAPSHOTS: """(
        SELECT identifier, created, ctid AS place, variables FROM {schema}.memories_variables
    )""",
    CREATE_CONVERSATIONS: """created_conversations AS (
    INSERT INTO {schema}.memories (identifier, created)
    SELECT identifier, created FROM new_conversations
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
)""",
    INSERT_ELEMENTS: """inserted_elements AS (
    INSERT INTO {schema}.memories_elements (identifier, content, created)
    SELECT identifier, content, created FROM new_elements ORDER BY identifier, number
)""",
    INSERT_SNAPSHOTS: """inserted_snapshots AS (
    INSERT INTO {schema}.memories_variables (identifier, variables, created)
    SELECT identifier, variables, created FROM new_snapshots ORDER BY identifier, number
)""",
    CHECK_REMOVAL: "checked AS (SELECT NULL::TEXT AS refusal)",
    # By `ctid` alone: a join with an estimated number of rows might read the whole table.
    DELETE_ELEMENTS: """deleted_elements AS (
    DELETE FROM {schema}.memories_elements
    WHERE ctid = ANY (ARRAY(SELECT place FROM removed_elements))
        AND identifier = (SELECT min(identifier) FROM removed_elements)
)""",
    DELETE_SNAPSHOTS: """deleted_snapshots AS (
    DELETE FROM {schema}.memories_variables AS snapshot
    USING cleared WHERE snapshot.identifier = cleared.identifier
)""",
    REMOVE_CONVERSATIONS: """removed_conversations AS (
    DELETE FROM {schema}.memories AS conversation
    USING removed WHERE conversation.identifier = removed.identifier
)""",
}

UUID_MEMORIES: Mapping[LiteralString, LiteralString] = {
    CONVERSATIONS: "(SELECT identifier::TEXT AS identifier, created FROM {schema}.memories)",
    ELEMENTS: """(
        SELECT memories::TEXT AS identifier, created, created AS moment, ctid AS place, content
        FROM {schema}.memories_elements
    )""",
    ARE_INDEXED: "FALSE",
    WRITES: """(
        SELECT memories::TEXT AS identifier, created FROM {schema}.memories_elements
    )""",
    SNAPSHOTS: """(
        SELECT memories::TEXT AS identifier, created, ctid AS place, variables
        FROM {schema}.memories_variables
    )""",
}

NO_SNAPSHOTS: LiteralString = """(
        SELECT
            NULL::TEXT AS identifier,
            NULL::TIMESTAMPTZ AS created,
            NULL::TID AS place,
            NULL::JSONB AS variables
        WHERE FALSE
    )"""


# The block of 0.89 for a part of a turn, or for a block of a context: its keys tell what it is.
BLOCK: LiteralString = f"""CASE
    WHEN part ? 'parts' THEN part
    WHEN part ? 'reasoning' THEN jsonb_build_object(
        'type', 'reasoning', 'content', part -> 'reasoning', 'meta', part -> 'meta'
    )
    WHEN part ? 'arguments' THEN part - 'handling' || jsonb_build_object(
        'type', 'tool_request',
        'meta', coalesce(part -> 'meta', '{{}}') || CASE
            WHEN part ->> 'handling' IS NULL THEN '{{}}'
            ELSE jsonb_build_object('{HANDLING}', part -> 'handling')
        END
    )
    ELSE jsonb_build_object(
        'type', 'tool_response',
        'identifier', part -> 'identifier',
        'tool', part -> 'tool',
        'content', coalesce(part -> 'content', part -> 'result'),
        'handling', CASE part ->> 'status'
            WHEN 'error' THEN 'error'
            ELSE coalesce(part ->> 'handling', part #>> '{{meta,{HANDLING}}}', 'response')
        END,
        'meta', (part -> 'meta') - '{HANDLING}'
    )
END"""

# The parts of an assistant's turn that are blocks: tool events are, other events are not.
PARTS: LiteralString = """
    SELECT
        CASE WHEN item.value ? 'event' THEN item.value #> '{content,artifact}' ELSE item.value END
            AS part,
        coalesce((item.value ->> 'created')::TIMESTAMPTZ, turn.created) AS moment,
        CASE item.value ->> 'event' WHEN 'tool_response' THEN 'input' ELSE 'output' END AS kind,
        item.number AS part_number
    FROM jsonb_path_query(turn.payload, '$.content[*]') WITH ORDINALITY AS item (value, number)
    WHERE NOT item.value ? 'event' OR item.value ->> 'event' IN ('tool_request', 'tool_response')
"""

# Whether the parts of a turn are not all blocks of one element.
MIXED: LiteralString = "'$.content[*] ? (exists(@.event) || exists(@.reasoning))'"

# Most turns are one element with the parts of the turn as blocks. In others, an element is a run
# of parts that came from the model, or that it was given. `place` is made of the beginning of the
# turn's identifier, by which draive orders turns of one time, and the number of the run.
CONVERSATION_ELEMENTS: LiteralString = f"""(
        SELECT
            turn.thread_id AS identifier,
            turn.created,
            element.moment,
            (
                '(' || ('x' || left(turn.identifier::TEXT, 8))::BIT(32)::INT8
                || ',' || element.number || ')'
            )::TID AS place,
            element.content
        FROM {{schema}}.conversation_memory AS turn
        CROSS JOIN LATERAL (
            SELECT
                turn.created AS moment,
                1 AS number,
                jsonb_build_object(
                    'type', CASE turn.turn WHEN 'user' THEN 'model_input' ELSE 'model_output' END,
                    'blocks', turn.payload -> 'content',
                    'meta', turn.payload -> 'meta'
                ) AS content
            WHERE turn.turn = 'user' OR NOT turn.payload @? {MIXED}
            UNION ALL
            SELECT
                min(run.moment),
                run.number,
                jsonb_build_object(
                    'type', 'model_' || run.kind,
                    'blocks', jsonb_agg({BLOCK} ORDER BY run.part_number),
                    'meta', turn.payload -> 'meta'
                )
            FROM (
                SELECT *, count(*) FILTER (WHERE starts) OVER (ORDER BY part_number) AS number
                FROM (
                    SELECT *, kind IS DISTINCT FROM lag(kind) OVER (ORDER BY part_number) AS starts
                    FROM ({PARTS}) AS part
                ) AS part
            ) AS run
            WHERE turn.turn <> 'user' AND turn.payload @? {MIXED}
            GROUP BY run.number, run.kind
        ) AS element
    )"""

STEP: LiteralString = "INTERVAL '1 microsecond'"

# Blocks as parts of turns.
PART: LiteralString = f"""CASE block.value ->> 'type'
    WHEN 'reasoning' THEN jsonb_build_object(
        'reasoning', block.value -> 'content', 'meta', coalesce(block.value -> 'meta', '{{}}')
    )
    WHEN 'tool_request' THEN jsonb_build_object(
        'event', 'tool_request',
        'created', piece.created,
        'content', jsonb_build_object(
            'category', 'ModelToolRequest',
            'artifact', block.value - 'type' #- '{{meta,{HANDLING}}}' || CASE
                WHEN block.value #> '{{meta,{HANDLING}}}' IS NULL THEN '{{}}'
                ELSE jsonb_build_object('handling', block.value #> '{{meta,{HANDLING}}}')
            END,
            'hidden', FALSE,
            'meta', '{{}}'::JSONB
        ),
        'meta', '{{}}'::JSONB
    )
    WHEN 'tool_response' THEN jsonb_build_object(
        'event', 'tool_response',
        'created', piece.created,
        'content', jsonb_build_object(
            'category', 'ModelToolResponse',
            'artifact', block.value - 'type' - 'handling' || jsonb_build_object(
                'status',
                CASE block.value ->> 'handling' WHEN 'error' THEN 'error' ELSE 'success' END,
                'meta',
                coalesce(block.value -> 'meta', '{{}}') || CASE
                    WHEN block.value ->> 'handling' IN ('response', 'error') THEN '{{}}'
                    ELSE jsonb_build_object('{HANDLING}', block.value -> 'handling')
                END
            ),
            'hidden', FALSE,
            'meta', '{{}}'::JSONB
        ),
        'meta', '{{}}'::JSONB
    )
    ELSE block.value
END"""

# An element joins the turn before it if it can be restored: the same rule as in `lines.turns`.
# An input of both content and tool responses becomes several turns. No two turns have one time,
# because draive orders turns of one time by their identifiers.
INSERT_TURNS: LiteralString = f"""pieces AS (
    SELECT
        element.identifier,
        element.number,
        piece.number AS piece,
        element.created,
        coalesce(element.content -> 'meta', '{{}}') AS meta,
        piece.kind,
        piece.blocks
    FROM new_elements AS element
    CROSS JOIN LATERAL (
        SELECT
            min(run.number) AS number,
            CASE
                WHEN element.content ->> 'type' = 'model_output' THEN 'output'
                WHEN run.responds THEN 'responses'
                ELSE 'user'
            END AS kind,
            coalesce(
                jsonb_agg(run.value ORDER BY run.number) FILTER (WHERE run.value IS NOT NULL), '[]'
            ) AS blocks
        FROM (
            SELECT
                block.value,
                coalesce(block.number, 0) AS number,
                block.value ->> 'type' IS NOT DISTINCT FROM 'tool_response' AS responds,
                row_number() OVER (ORDER BY block.number) - row_number() OVER (
                    PARTITION BY block.value ->> 'type' IS NOT DISTINCT FROM 'tool_response'
                    ORDER BY block.number
                ) AS run
            FROM (SELECT) AS one_row
            LEFT JOIN jsonb_path_query(element.content, '$.blocks[*]')
                WITH ORDINALITY AS block (value, number) ON TRUE
        ) AS run
        GROUP BY run.responds, run.run
    ) AS piece
),
described AS (
    SELECT
        *,
        kind = 'user'
        OR blocks = '[]'
        OR lag(kind, 1, 'user') OVER ordered IN ('user', kind)
        OR lag(meta) OVER ordered <> meta
        OR NOT lag(jsonb_path_exists(
            blocks, '$[*] ? (@.type == "tool_request" || @.type == "tool_response")'
        )) OVER ordered AS starts
    FROM pieces
    WINDOW ordered AS (PARTITION BY identifier ORDER BY number, piece)
),
grouped AS (
    SELECT
        *,
        count(*) FILTER (WHERE starts) OVER (PARTITION BY identifier ORDER BY number, piece) AS turn
    FROM described
),
new_turns AS MATERIALIZED (
    SELECT
        piece.identifier AS thread_id,
        gen_random_uuid() AS identifier,
        CASE bool_or(piece.kind = 'user') WHEN TRUE THEN 'user' ELSE 'assistant' END AS turn,
        max(max(piece.created) - piece.turn * {STEP}) OVER (
            PARTITION BY piece.identifier ORDER BY piece.turn
        ) + piece.turn * {STEP} AS created,
        coalesce(
            jsonb_agg({PART} ORDER BY piece.number, piece.piece, block.number)
                FILTER (WHERE block.value IS NOT NULL),
            '[]'
        ) AS content,
        (array_agg(piece.meta))[1] AS meta,
        piece.turn AS number
    FROM grouped AS piece
    LEFT JOIN jsonb_array_elements(piece.blocks) WITH ORDINALITY AS block (value, number) ON TRUE
    GROUP BY piece.identifier, piece.turn
),
inserted_elements AS (
    INSERT INTO {{schema}}.conversation_memory (thread_id, identifier, turn, payload, created)
    SELECT
        thread_id,
        identifier,
        turn,
        jsonb_build_object(
            'identifier', identifier,
            'created', created,
            'turn', turn,
            'content', content,
            'meta', meta
        ),
        created
    FROM new_turns
    ORDER BY thread_id, number
)"""

# The turn of an element is found by its time and the beginning of its `place`.
CHECK_TURNS: LiteralString = f"""checked AS (
    SELECT CASE
        WHEN chosen.number > 0 AND NOT EXISTS (
            SELECT FROM {{schema}}.conversation_memory WHERE thread_id = chosen.identifier
        ) THEN 'it is the context of an agent, which can only be removed as a whole'
        WHEN chosen.number < (
            SELECT count(*)
            FROM {CONVERSATION_ELEMENTS} AS part
            WHERE part.identifier = chosen.identifier
                AND created = ANY (ARRAY(SELECT created FROM chosen))
                AND (created, split_part(place::TEXT, ',', 1)) IN (
                    SELECT created, split_part(place::TEXT, ',', 1) FROM chosen
                )
        ) THEN 'turns are removed whole: use undo() or clear(), or begin where a turn begins'
    END AS refusal
    FROM (SELECT count(*) AS number, min(identifier) AS identifier FROM chosen) AS chosen
)"""

DELETE_TURNS: LiteralString = """deleted_turns AS (
    DELETE FROM {schema}.conversation_memory AS turn
    WHERE thread_id = (SELECT min(identifier) FROM removed_elements)
        AND created = ANY (ARRAY(SELECT created FROM removed_elements))
        AND (created, '(' || ('x' || left(identifier::TEXT, 8))::BIT(32)::INT8) IN (
            SELECT created, split_part(place::TEXT, ',', 1) FROM removed_elements
        )
)"""

CONVERSATION_MEMORY: Mapping[LiteralString, LiteralString] = {
    TURNS: "{schema}.conversation_memory",
    CONVERSATIONS: """(
        SELECT thread_id AS identifier, min(created) AS created
        FROM {schema}.conversation_memory
        GROUP BY thread_id
    )""",
    ELEMENTS: CONVERSATION_ELEMENTS,
    ARE_INDEXED: "FALSE",
    WRITES: "(SELECT thread_id AS identifier, created FROM {schema}.conversation_memory)",
    SNAPSHOTS: NO_SNAPSHOTS,
    CREATE_CONVERSATIONS: """created_conversations AS (
    SELECT identifier
    FROM new_conversations
    WHERE NOT EXISTS (
        SELECT FROM {schema}.conversation_memory AS turn
        WHERE turn.thread_id = new_conversations.identifier
    )
)""",
    INSERT_ELEMENTS: INSERT_TURNS,
    INSERT_SNAPSHOTS: "inserted_snapshots AS (SELECT identifier FROM new_snapshots)",
    CHECK_REMOVAL: CHECK_TURNS,
    DELETE_ELEMENTS: DELETE_TURNS,
    DELETE_SNAPSHOTS: "deleted_snapshots AS (SELECT identifier FROM cleared)",
    REMOVE_CONVERSATIONS: """removed_conversations AS (
    DELETE FROM {schema}.conversation_memory AS turn
    USING removed WHERE turn.thread_id = removed.identifier
)""",
}

# A thread of an agent is named by the agent and the thread; `setup` creates an index on this.
THREAD: LiteralString = "(agent_uri || '#' || thread_id::TEXT)"

AGENT_MEMORY: Mapping[LiteralString, LiteralString] = {
    CONVERSATIONS: f"""(
        SELECT {THREAD} AS identifier, min(created) AS created
        FROM {{schema}}.agent_memory
        GROUP BY {THREAD}
    )""",
    ELEMENTS: f"""(
        SELECT
            snapshot.identifier,
            snapshot.created,
            snapshot.created AS moment,
            ('(' || element.number / 10000 || ',' || element.number % 10000 || ')')::TID AS place,
            jsonb_build_object(
                'type', 'model_' || (element.value ->> 'kind'),
                'blocks', (
                    SELECT coalesce(jsonb_agg({BLOCK} ORDER BY number), '[]')
                    FROM jsonb_path_query(
                        coalesce(element.value -> 'input', element.value -> 'output'), '$[*]'
                    ) WITH ORDINALITY AS block (part, number)
                ),
                'meta', element.value -> 'meta'
            ) AS content
        FROM (
            SELECT DISTINCT ON ({THREAD}) {THREAD} AS identifier, created, context
            FROM {{schema}}.agent_memory
            ORDER BY {THREAD}, created DESC, agent_memory.identifier DESC
        ) AS snapshot
        CROSS JOIN LATERAL jsonb_path_query(snapshot.context, '$[*]')
            WITH ORDINALITY AS element (value, number)
    )""",
    ARE_INDEXED: "FALSE",
    WRITES: f"(SELECT {THREAD} AS identifier, created FROM {{schema}}.agent_memory)",
    SNAPSHOTS: NO_SNAPSHOTS,
    # A UUID is 36 characters long; the index is on the agent first.
    REMOVE_CONVERSATIONS: """removed_threads AS (
    DELETE FROM {schema}.agent_memory AS snapshot
    USING removed
    WHERE snapshot.agent_uri = left(removed.identifier, -37)
        AND snapshot.thread_id::TEXT = right(removed.identifier, 36)
)""",
}

STORES: Mapping[Store, Mapping[LiteralString, LiteralString]] = {
    "memories": MEMORIES,
    "uuid_memories": UUID_MEMORIES,
    "conversation_memory": CONVERSATION_MEMORY,
    "agent_memory": AGENT_MEMORY,
}

# Names of tables, with the types of their columns `identifier`.
DETECT = Query(
    "conversations.tables",
    """
SELECT
    relname::TEXT,
    (
        SELECT typname::TEXT
        FROM pg_attribute
        JOIN pg_type ON pg_type.oid = atttypid
        WHERE attrelid = pg_class.oid AND attname = 'identifier' AND NOT attisdropped
    )
FROM pg_class
WHERE relname = ANY (:names::TEXT[])
    AND relkind IN ('r', 'p', 'v', 'm', 'f')
    AND CASE
        WHEN :schema::TEXT IS NULL THEN pg_table_is_visible(oid)
        ELSE relnamespace = to_regnamespace(quote_ident(:schema::TEXT))
    END
""",
)

NAMES = ["memories", "conversation_memory", "agent_memory", "instructions", "templates"]


@cache
def relations(line: Line, stores: tuple[Store, ...]) -> Relations:
    """Return the relations of the stores of a line: all are read, the first is written to."""
    parts = dict(STORES[stores[0]])
    for other in map(STORES.__getitem__, stores[1:]):
        for name in (CONVERSATIONS, ELEMENTS, WRITES):
            parts[name] = (
                f"(SELECT * FROM {parts[name]} AS a UNION ALL SELECT * FROM {other[name]} AS b)"
            )
        parts[REMOVE_CONVERSATIONS] += f",\n{other[REMOVE_CONVERSATIONS]}"
    return Relations(line, parts)


OLDEST_LINE = relations(LINE_89, LINE_89.stores)


def find(schema: str | None, chosen: Line | None) -> Operation[tuple[Relations, bool]]:
    """Return the relations of a database, and whether any of their tables exists."""

    def decode(rows: Sequence[Row]) -> tuple[Relations, bool]:
        tables = _tables(rows)
        line = detect(tables, chosen)
        stores = present_stores(line, tables)
        return relations(line, stores), any(TABLES[store][0] in tables for store in stores)

    return replace(read_tables(schema), decode=decode)


def read_tables(schema: str | None) -> Operation[Any]:
    """Return the tables of draive in a database, as `detect` takes them."""
    return Operation(
        name="look for the tables of conversations",
        statements=(DETECT(schema=schema, names=NAMES),),
        read_only=True,
        decode=_tables,
    )


def _tables(rows: Sequence[Row]) -> Mapping[str, str | None]:
    return dict(cast("Sequence[tuple[str, str | None]]", rows))


def lock_memory(identifier: str) -> Statement:
    """Lock a memory against other writers until the transaction ends."""
    return advisory_lock(f"memories/{identifier}")


def lock_memories(identifiers: Iterable[str]) -> Statement:
    """Lock several memories against other writers until the transaction ends."""
    return advisory_locks(f"memories/{identifier}" for identifier in identifiers)
