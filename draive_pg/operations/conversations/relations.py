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
    Steps,
    advisory_locks,
)

# Columns identifier and created.
CONVERSATIONS: LiteralString = "{conversations}"
# Columns identifier, created, moment, place, writer and content. Rows are ordered by `created`;
# `place` gives rows with the same `created` one order in every statement. `moment` is the time of
# the element itself, which draive may write later, with the rest of its turn. `writer` is the
# transaction that inserted it; NULL where draive writes all elements again with each new one.
# Further columns are faster than to build `content`, which is needed for several blocks only:
# `type`, `meta`, and, of an element with one block of at most one part, `block` as it is stored
# and its type `kind`. Of others, `kind` is NULL and `composite` is the content. Where no index
# finds elements, `said` has the texts of the whole turn; NULL if it is not faster to read.
ELEMENTS: LiteralString = "{elements}"
# `ELEMENTS` by `created`, the newest first, so that a limit ends the scan.
NEWEST_ELEMENTS: LiteralString = "{newest_elements}"
# Around conditions that are needed only where no index returns elements by identifier and
# `created`, so that a limit does not end the scan. Elsewhere they are commented out.
UNLESS_INDEXED: LiteralString = "{unless_indexed}"
END_UNLESS: LiteralString = "{end_unless}"
# An optimization fence at the end of a subquery, which Citus would not send to the workers.
FENCE: LiteralString = "{fence}"
# Columns identifier and created of the rows with elements: faster than `ELEMENTS` for times.
WRITES: LiteralString = "{writes}"
# Columns identifier and meta of the elements.
META: LiteralString = "{meta}"
# Columns identifier, created, place and variables.
SNAPSHOTS: LiteralString = "{snapshots}"
# Column identifier of conversations that Citus distributes: a statement that reads it runs on the
# node that stores them. Without rows on one server.
LOCATED: LiteralString = "{located}"

# The name of the table of embeddings: one for each layout, because a memory may be in both.
EMBEDDINGS: LiteralString = "{embeddings}"

# Each is one or several common table expressions. `created_conversations` has the identifiers of
# `new_conversations (identifier, created)` that did not exist, and `locked_conversations` locks the
# rows of `locked (identifier)` to which a foreign key of the elements refers. The others write the
# rows of `new_elements (identifier, number, content, created)` in order, and those of
# `new_snapshots (identifier, number, variables, created)`, or remove `removed (identifier)`, or
# the elements `removed_elements (identifier, created, place)` of one conversation, or the
# variables of `cleared (identifier)`. `checked` has the reason why the elements `chosen` cannot be
# removed, or NULL.
CREATE_CONVERSATIONS: LiteralString = "{create_conversations}"
LOCK_CONVERSATIONS: LiteralString = "{lock_conversations}"
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

# The columns of elements that depend on their content.
OF_CONTENT: LiteralString = """
            content,
            content ->> 'type' AS type,
            content -> 'meta' AS meta,
            CASE
                WHEN content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL
                THEN coalesce(content #>> '{blocks,0,type}', 'content')
            END AS kind,
            content #> '{blocks,0}' AS block,
            content AS composite
""".strip()

# The planner merges these subqueries into a statement.
MEMORY_ELEMENTS: LiteralString = f"""(
        SELECT
            identifier,
            created,
            created AS moment,
            ctid AS place,
            xmin AS writer,
            {OF_CONTENT}
        FROM {{schema}}.memories_elements
    )"""

# On one server.
NOT_LOCATED: LiteralString = "(SELECT NULL::TEXT AS identifier WHERE FALSE)"

# Where no row stands for a conversation, or Citus cannot lock several.
NO_ROWS_LOCKED: LiteralString = "locked_conversations AS (SELECT FROM locked WHERE FALSE)"

MEMORIES: Mapping[LiteralString, LiteralString] = {
    ELEMENT_TABLES: "{schema}.memories",
    LOCATED: NOT_LOCATED,
    CONVERSATIONS: "{schema}.memories",
    ELEMENTS: MEMORY_ELEMENTS,
    NEWEST_ELEMENTS: MEMORY_ELEMENTS,
    UNLESS_INDEXED: "TRUE /*",
    END_UNLESS: "*/",
    FENCE: "OFFSET 0",
    WRITES: "{schema}.memories_elements",
    META: "(SELECT identifier, content -> 'meta' AS meta FROM {schema}.memories_elements)",
    EMBEDDINGS: "draive_pg_embeddings",
    SNAPSHOTS: """(
        SELECT identifier, created, ctid AS place, variables FROM {schema}.memories_variables
    )""",
    CREATE_CONVERSATIONS: """created_conversations AS (
    INSERT INTO {schema}.memories (identifier, created)
    SELECT identifier, created FROM new_conversations
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
)""",
    LOCK_CONVERSATIONS: """locked_conversations AS (
    SELECT identifier
    FROM {schema}.memories
    WHERE identifier = ANY (ARRAY(SELECT identifier FROM locked))
    ORDER BY identifier
    FOR UPDATE
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
    # Found by `ctid`: a join with an estimated number of rows might read the whole table. In other
    # partitions by time, or tables that inherit, elements of other times may have the same `ctid`.
    DELETE_ELEMENTS: """deleted_elements AS (
    DELETE FROM {schema}.memories_elements
    WHERE ctid = ANY (ARRAY(SELECT place FROM removed_elements))
        AND identifier = (SELECT min(identifier) FROM removed_elements)
        AND (created, ctid) IN (SELECT created, place FROM removed_elements)
)""",
    DELETE_SNAPSHOTS: """deleted_snapshots AS (
    DELETE FROM {schema}.memories_variables AS snapshot
    USING cleared WHERE snapshot.identifier = cleared.identifier
)""",
    # The foreign keys remove what is written meanwhile, but tables may have lost them. After the
    # memories, as draive removes them: the other order could be a deadlock with it.
    REMOVE_CONVERSATIONS: """removed_conversations AS (
    DELETE FROM {schema}.memories AS conversation
    USING removed WHERE conversation.identifier = removed.identifier
    RETURNING conversation.identifier
),
elements_of_removed AS (
    DELETE FROM {schema}.memories_elements AS element
    USING removed_conversations WHERE element.identifier = removed_conversations.identifier
),
snapshots_of_removed AS (
    DELETE FROM {schema}.memories_variables AS snapshot
    USING removed_conversations WHERE snapshot.identifier = removed_conversations.identifier
)""",
}

# Of memories that Citus distributes. It deletes no rows by `ctid` that another query chose, so the
# other rows of the same times are written again.
DISTRIBUTED: Mapping[LiteralString, LiteralString] = {
    **MEMORIES,
    LOCATED: "{schema}.memories",
    LOCK_CONVERSATIONS: NO_ROWS_LOCKED,
    FENCE: "",
    SNAPSHOTS: """(
        SELECT
            identifier,
            created,
            ('(' || (hashtext(variables::TEXT)::INT8 & 2147483647) || ',1)')::TID AS place,
            variables
        FROM {schema}.memories_variables
    )""",
    DELETE_ELEMENTS: """remaining_elements AS MATERIALIZED (
    SELECT identifier, content, created, ctid AS place
    FROM {schema}.memories_elements
    WHERE identifier = (SELECT min(identifier) FROM removed_elements)
        AND created = ANY (ARRAY(SELECT created FROM removed_elements))
        AND (created, ctid) NOT IN (SELECT created, place FROM removed_elements)
),
removed_times AS MATERIALIZED (SELECT DISTINCT identifier, created FROM removed_elements),
deleted_elements AS (
    DELETE FROM {schema}.memories_elements
    WHERE (identifier, created) IN (SELECT identifier, created FROM removed_times)
),
restored_elements AS (
    INSERT INTO {schema}.memories_elements (identifier, content, created)
    SELECT identifier, content, created FROM remaining_elements ORDER BY created, place
)""",
}

# Tables without indexes on the identifiers that they are read by, on one server.
SCANNED: Mapping[LiteralString, LiteralString] = {
    UNLESS_INDEXED: "",
    END_UNLESS: "",
    FENCE: "OFFSET 0",
    LOCATED: NOT_LOCATED,
    LOCK_CONVERSATIONS: NO_ROWS_LOCKED,
}

UUID_ELEMENTS: LiteralString = f"""(
        SELECT
            memories::TEXT AS identifier,
            created,
            created AS moment,
            ctid AS place,
            xmin AS writer,
            {OF_CONTENT},
            NULL::JSONB AS said
        FROM {{schema}}.memories_elements
    )"""

UUID_MEMORIES: Mapping[LiteralString, LiteralString] = {
    EMBEDDINGS: "draive_pg_embeddings",
    CONVERSATIONS: "(SELECT identifier::TEXT AS identifier, created FROM {schema}.memories)",
    ELEMENTS: UUID_ELEMENTS,
    NEWEST_ELEMENTS: UUID_ELEMENTS,
    **SCANNED,
    WRITES: """(
        SELECT memories::TEXT AS identifier, created FROM {schema}.memories_elements
    )""",
    META: """(
        SELECT memories::TEXT AS identifier, content -> 'meta' AS meta
        FROM {schema}.memories_elements
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


# The content and the handling of a tool response as any release stores it.
RESPONSE: LiteralString = "coalesce(block -> 'content', block -> 'result')"
RESPONSE_HANDLING: LiteralString = f"""CASE block ->> 'status'
    WHEN 'error' THEN 'error'
    ELSE coalesce(block ->> 'handling', block #>> '{{meta,{HANDLING}}}', 'response')
END"""

# The block of 0.89 for a part of a turn, or for a block of a context: its keys tell what it is.
BLOCK: LiteralString = f"""CASE
    WHEN block ? 'parts' THEN block
    WHEN block ? 'reasoning' THEN jsonb_build_object(
        'type', 'reasoning', 'content', block -> 'reasoning', 'meta', block -> 'meta'
    )
    WHEN block ? 'arguments' THEN block - 'handling' || jsonb_build_object(
        'type', 'tool_request',
        'meta', coalesce(block -> 'meta', '{{}}') || CASE
            WHEN block ->> 'handling' IS NULL THEN '{{}}'
            ELSE jsonb_build_object('{HANDLING}', block -> 'handling')
        END
    )
    ELSE jsonb_build_object(
        'type', 'tool_response',
        'identifier', block -> 'identifier',
        'tool', block -> 'tool',
        'content', {RESPONSE},
        'handling', {RESPONSE_HANDLING},
        'meta', (block -> 'meta') - '{HANDLING}'
    )
END"""

# Its type.
KIND: LiteralString = """CASE
    WHEN block ? 'parts' THEN 'content'
    WHEN block ? 'reasoning' THEN 'reasoning'
    WHEN block ? 'arguments' THEN 'tool_request'
    ELSE 'tool_response'
END"""

# The parts of an assistant's `turn` that are blocks: tool events are, other events are not.
PARTS: LiteralString = """
    SELECT
        item.number,
        CASE WHEN item.event IS NULL THEN item.value ELSE item.value #> '{content,artifact}' END
            AS block,
        CASE
            WHEN item.event IS NULL THEN turn.created
            ELSE coalesce((item.value ->> 'created')::TIMESTAMPTZ, turn.created)
        END AS moment,
        CASE item.event WHEN 'tool_response' THEN 'model_input' ELSE 'model_output' END AS type
    FROM (
        SELECT *, value ->> 'event' AS event
        FROM jsonb_path_query(turn.content, '$[*]') WITH ORDINALITY AS item (value, number)
        OFFSET 0
    ) AS item
    WHERE item.event IS NULL OR item.event IN ('tool_request', 'tool_response')
"""

# Those of an element, from its first one to the next element.
RUN: LiteralString = f"""
    FROM ({PARTS}) AS part
    WHERE part.number >= run.number AND (run.next IS NULL OR part.number < run.next)
"""

# Whether the parts of a turn are not all blocks of one element.
MIXED: LiteralString = "'$.content[*] ? (exists(@.event) || exists(@.reasoning))'"

# The texts of its elements.
SAID_IN_TURN: LiteralString = "jsonb_path_query_array(stored.payload, '$.content[*].parts[*].text')"

# Begins a `place`: by the beginning of its identifier, draive orders turns of one time.
PLACE: LiteralString = "'(' || ('x' || left(stored.identifier::TEXT, 8))::BIT(32)::INT8 || ','"

_TURN_TYPE: LiteralString = (
    "CASE stored.turn WHEN 'user' THEN 'model_input' ELSE 'model_output' END"
)
_TURN_CONTENT: LiteralString = f"""jsonb_build_object(
    'type', {_TURN_TYPE}, 'blocks', stored.payload -> 'content', 'meta', stored.payload -> 'meta'
)"""
_TURN_IS_SINGLE: LiteralString = """(
    stored.payload #> '{content,1}' IS NULL AND stored.payload #> '{content,0,parts,1}' IS NULL
)"""
_RUN_CONTENT: LiteralString = f"""jsonb_build_object(
    'type', run.type,
    'blocks', CASE
        WHEN run.is_last THEN jsonb_build_array({BLOCK})
        ELSE (SELECT jsonb_agg({BLOCK} ORDER BY number){RUN})
    END,
    'meta', turn.meta
)"""
_RUN_IS_SINGLE: LiteralString = "(run.is_last AND run.block #> '{parts,1}' IS NULL)"


def _elements_of(turns: LiteralString) -> LiteralString:
    """Return the SQL of the elements of some turns.

    Most turns are one element with the parts of the turn as blocks. In others, an element is a run
    of parts that came from the model, or that it was given. `OFFSET 0` is an optimization fence:
    the payload is decompressed once.
    """
    return f"""(
        SELECT
            stored.thread_id AS identifier,
            stored.created,
            element.moment,
            element.place,
            stored.writer,
            element.content,
            element.type,
            stored.payload -> 'meta' AS meta,
            element.kind,
            element.block,
            element.composite,
            {SAID_IN_TURN} AS said
        FROM {turns} AS stored
        CROSS JOIN LATERAL (
            SELECT stored.turn <> 'user' AND stored.payload @? {MIXED} AS is_mixed OFFSET 0
        ) AS shape
        CROSS JOIN LATERAL (
            SELECT
                stored.created AS moment,
                ({PLACE} || '1)')::TID AS place,
                {_TURN_CONTENT} AS content,
                {_TURN_TYPE} AS type,
                CASE
                    WHEN {_TURN_IS_SINGLE}
                    THEN coalesce(stored.payload #>> '{{content,0,type}}', 'content')
                END AS kind,
                stored.payload #> '{{content,0}}' AS block,
                CASE WHEN NOT {_TURN_IS_SINGLE} THEN {_TURN_CONTENT} END AS composite
            WHERE NOT shape.is_mixed
            UNION ALL
            SELECT
                CASE
                    WHEN run.is_last THEN run.moment
                    ELSE (SELECT min(moment){RUN})
                END,
                ({PLACE} || number || ')')::TID,
                {_RUN_CONTENT},
                run.type,
                CASE WHEN {_RUN_IS_SINGLE} THEN {KIND} END,
                run.block,
                CASE WHEN NOT {_RUN_IS_SINGLE} THEN {_RUN_CONTENT} END
            FROM (
                SELECT
                    stored.created,
                    payload -> 'content' AS content,
                    payload -> 'meta' AS meta
                FROM (SELECT stored.payload || '{{}}' AS payload OFFSET 0) AS read
                OFFSET 0
            ) AS turn
            CROSS JOIN LATERAL (
                SELECT
                    *,
                    lead(number) OVER (ORDER BY number) AS next
                FROM (
                    SELECT
                        *,
                        type IS DISTINCT FROM lag(type) OVER ordered AS is_first,
                        type IS DISTINCT FROM lead(type) OVER ordered AS is_last
                    FROM ({PARTS}) AS part
                    WINDOW ordered AS (ORDER BY number)
                ) AS part
                WHERE is_first
            ) AS run
            WHERE shape.is_mixed
        ) AS element
    )"""


STORED_TURNS: LiteralString = "(SELECT *, xmin AS writer FROM {schema}.conversation_memory)"
CONVERSATION_ELEMENTS: LiteralString = _elements_of(STORED_TURNS)
NEWEST_TURNS: LiteralString = f"(SELECT * FROM {STORED_TURNS} AS stored ORDER BY created DESC)"
NEWEST_TURN_ELEMENTS: LiteralString = f"""(
        SELECT * FROM {_elements_of(NEWEST_TURNS)} AS element
        ORDER BY created DESC
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
    EMBEDDINGS: "draive_pg_turn_embeddings",
    CONVERSATIONS: """(
        SELECT thread_id AS identifier, min(created) AS created
        FROM {schema}.conversation_memory
        GROUP BY thread_id
    )""",
    ELEMENTS: CONVERSATION_ELEMENTS,
    NEWEST_ELEMENTS: NEWEST_TURN_ELEMENTS,
    **SCANNED,
    WRITES: "(SELECT thread_id AS identifier, created FROM {schema}.conversation_memory)",
    META: """(
        SELECT thread_id AS identifier, payload -> 'meta' AS meta
        FROM {schema}.conversation_memory
    )""",
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
    # The turns without elements, which have only other events.
    DELETE_SNAPSHOTS: """deleted_snapshots AS (
    DELETE FROM {schema}.conversation_memory AS turn
    USING cleared
    WHERE turn.thread_id = cleared.identifier AND (SELECT refusal FROM checked) IS NULL
)""",
    REMOVE_CONVERSATIONS: """removed_conversations AS (
    DELETE FROM {schema}.conversation_memory AS turn
    USING removed WHERE turn.thread_id = removed.identifier
)""",
}

# A thread of an agent is named by the agent and the thread; `setup` creates an index on this.
THREAD: LiteralString = "(agent_uri || '#' || thread_id::TEXT)"

AGENT_ELEMENTS: LiteralString = f"""(
        SELECT
            snapshot.identifier,
            snapshot.created,
            snapshot.created AS moment,
            ('(' || element.number / 10000 || ',' || element.number % 10000 || ')')::TID AS place,
            NULL::XID AS writer,
            {OF_CONTENT},
            NULL::JSONB AS said
        FROM (
            SELECT DISTINCT ON ({THREAD}) {THREAD} AS identifier, created, context
            FROM {{schema}}.agent_memory
            ORDER BY {THREAD}, created DESC, agent_memory.identifier DESC
        ) AS snapshot
        CROSS JOIN LATERAL jsonb_path_query(snapshot.context, '$[*]')
            WITH ORDINALITY AS element (value, number)
        CROSS JOIN LATERAL (
            SELECT jsonb_build_object(
                'type', 'model_' || (element.value ->> 'kind'),
                'blocks', (
                    SELECT coalesce(jsonb_agg({BLOCK} ORDER BY number), '[]')
                    FROM jsonb_path_query(
                        coalesce(element.value -> 'input', element.value -> 'output'), '$[*]'
                    ) WITH ORDINALITY AS block (block, number)
                ),
                'meta', element.value -> 'meta'
            ) AS content
            OFFSET 0
        ) AS built
    )"""

AGENT_MEMORY: Mapping[LiteralString, LiteralString] = {
    EMBEDDINGS: "draive_pg_turn_embeddings",
    CONVERSATIONS: f"""(
        SELECT {THREAD} AS identifier, min(created) AS created
        FROM {{schema}}.agent_memory
        GROUP BY {THREAD}
    )""",
    ELEMENTS: AGENT_ELEMENTS,
    NEWEST_ELEMENTS: f"(SELECT * FROM {AGENT_ELEMENTS} AS element ORDER BY created DESC)",
    **SCANNED,
    WRITES: f"(SELECT {THREAD} AS identifier, created FROM {{schema}}.agent_memory)",
    META: f"(SELECT identifier, meta FROM {AGENT_ELEMENTS} AS element)",
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


def lock_key(identifier: LiteralString) -> LiteralString:
    """Return the SQL of the key of a memory's advisory lock, as `lock_memories` computes it."""
    return f"hashtextextended('memories/' || {identifier}, 0)"


# An advisory lock is one of the node that takes it, so it is taken where the memory is stored.
LOCK = Query(
    "memories.lock",
    f"""
SELECT pg_advisory_xact_lock({lock_key(":identifier::TEXT")})
FROM (
    SELECT count(*) FROM {LOCATED} AS conversation WHERE identifier = :identifier::TEXT
) AS located
""",
)

# Those that exist, after `advisory_locks` of all on the node of the client.
LOCK_STORED = Query(
    "memories.lock_stored",
    f"""
SELECT count(pg_advisory_xact_lock(key))
FROM (
    SELECT {lock_key("identifier")} AS key
    FROM {LOCATED} AS conversation
    WHERE identifier = ANY (:identifiers::TEXT[])
    ORDER BY key
) AS ordered
""",
)

# The check of a foreign key is planned once in a session: with few memories it would read all of
# them, and still do so for each element when an import has added thousands.
USE_INDEXES = Query("memories.use_indexes", "SELECT set_config('enable_seqscan', 'off', TRUE)")

# Locking rows needs the privilege UPDATE, which roles that write may lack.
MAY_LOCK_ROWS = Query(
    "memories.may_lock_rows",
    """
SELECT has_any_column_privilege(to_regclass($name${schema}.memories$name$), 'UPDATE')
""",
)

LOCK_ROWS = Query(
    "memories.lock_rows",
    f"""
WITH locked AS (SELECT unnest(:identifiers::TEXT[]) AS identifier),
{LOCK_CONVERSATIONS}
SELECT count(*) FROM locked_conversations
""",
)

# Names of tables, with the types of their columns `identifier`, and whether Citus distributes them.
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
    ),
    EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = pg_class.oid AND starts_with(tgname::TEXT, 'truncate_trigger_')
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
def relations(line: Line, stores: tuple[Store, ...], *, distributed: bool = False) -> Relations:
    """Return the relations of the stores of a line: all are read, the first is written to."""
    parts = dict(DISTRIBUTED if distributed else STORES[stores[0]])
    for other in map(STORES.__getitem__, stores[1:]):
        for name in (CONVERSATIONS, ELEMENTS, NEWEST_ELEMENTS, WRITES, META):
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
        distributed = any(row[2] for row in rows)
        return (
            relations(line, stores, distributed=distributed),
            any(TABLES[store][0] in tables for store in stores),
        )

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
    return {name: kind for name, kind, _ in cast("Sequence[tuple[str, str | None, bool]]", rows)}


def lock_memory(identifier: str) -> Statement:
    """Lock a memory against other writers until the transaction ends."""
    return LOCK(identifier=identifier)


def lock_memories(identifiers: Iterable[str]) -> tuple[Statement, ...]:
    """Lock several memories against other writers until the transaction ends."""
    locked = list(identifiers)
    subjects = (f"memories/{identifier}" for identifier in locked)
    return advisory_locks(subjects), LOCK_STORED(identifiers=locked)


def lock_for_removal(name: str, identifiers: Sequence[str]) -> Steps[None]:
    """Lock several memories also against draive, before a statement that checks and removes them.

    draive takes no advisory lock, but an element that it is writing locks the row of its memory, by
    the foreign key. If the removal of that row waited for it, it would remove the new element, too.
    """
    may_lock: bool | None = yield Operation(
        name,
        (*lock_memories(identifiers), MAY_LOCK_ROWS()),
        decode=lambda rows: rows[0][0],
    )
    if may_lock:
        yield Operation(name, (LOCK_ROWS(identifiers=identifiers),))
