"""Frames of conversations. SQL unpacks the JSON, which is not slower than sending it as text."""

from typing import LiteralString

from draive_pg.frames.frame import Frame
from draive_pg.operations.conversations.expressions import (
    CALLS,
    CHOSEN,
    FAILURES,
    ROLE,
    STARTS_TURN,
    TOOLS,
    UNTIMED,
    failed,
    seconds,
    speaker,
)
from draive_pg.operations.conversations.store import (
    ARE_INDEXED,
    CONVERSATIONS,
    ELEMENTS,
    SNAPSHOTS,
    WRITES,
)


def _count_blocks(kind: LiteralString) -> LiteralString:
    """Return the SQL of the number of blocks of a type."""
    return f"""CASE WHEN single THEN (kind = '{kind}')::INT ELSE jsonb_array_length(
    jsonb_path_query_array(kinds, '$[*] ? (@ == "{kind}")')
) END"""


# Most elements have a single block with a single part. For these, `#>` takes a third of the time
# of a JSON path query.
SINGLE: LiteralString = """
(content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL) AS single
""".strip()
# Only the text of content: artifacts and reasoning are not part of the conversation.
TEXT: LiteralString = """
CASE WHEN single THEN coalesce(content #>> '{blocks,0,parts,0,text}', '') ELSE coalesce((
    SELECT string_agg(part #>> '{}', '')
    FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
), '') END AS text
""".strip()
# Types of the blocks; a block without a type has content.
KINDS: LiteralString = """
CASE WHEN single THEN coalesce(content #>> '{blocks,0,type}', 'content') END AS kind,
CASE WHEN NOT single THEN jsonb_path_query_array(content, '$.blocks[*].type') END AS kinds
""".strip()
# Memories with enough elements for a limit, if no filter leaves elements out: each has one or more.
FIRST: LiteralString = f"""
    (
        {ARE_INDEXED}
        OR :limit::INT8 IS NULL
        OR coalesce(:since::TIMESTAMPTZ, :until::TIMESTAMPTZ) IS NOT NULL
        OR coalesce(:role::TEXT, :speaker::TEXT) IS NOT NULL
        OR :tool::TEXT[] IS NOT NULL
        OR identifier = ANY (ARRAY(
            SELECT written.identifier
            FROM (
                SELECT DISTINCT identifier
                FROM {WRITES} AS element
                WHERE {CHOSEN}
                ORDER BY identifier
            ) AS written
            CROSS JOIN LATERAL (
                SELECT FROM {ELEMENTS} AS element
                WHERE element.identifier = written.identifier
                LIMIT 1
            ) AS element
            ORDER BY written.identifier
            LIMIT :limit::INT8
        ))
    )
""".strip()
RESPONDS: LiteralString = "(kind = 'tool_response' OR kinds ? 'tool_response')"
# Positions count all elements of a memory, before any filter.
POSITIONED: LiteralString = f"""
    SELECT
        identifier,
        created,
        moment,
        content,
        place,
        row_number() OVER (PARTITION BY identifier ORDER BY created, place) - 1 AS position
    FROM {ELEMENTS} AS element
    WHERE {CHOSEN}
""".strip()

# `OFFSET 0` is an optimization fence: expressions that several columns use are computed once.
LOG: LiteralString = f"""
    identifier,
    created,
    place,
    {ROLE} AS role,
    {speaker(RESPONDS)} AS speaker,
    text,
    CASE WHEN kind = 'reasoning' OR kinds ? 'reasoning' THEN coalesce((
        SELECT string_agg(part #>> '{{}}', '')
        FROM jsonb_path_query(
            content, '$.blocks[*] ? (@.type == "reasoning").content.parts[*].text'
        ) AS part
    ), '') ELSE '' END AS reasoning,
    CASE
        WHEN kind IN ('tool_request', 'tool_response') THEN
            coalesce('[' || (content #> '{{blocks,0,tool}}')::TEXT || ']', '[]')
        WHEN kinds ?| ARRAY['tool_request', 'tool_response'] THEN {TOOLS}::TEXT
        ELSE '[]'
    END AS tools,
    {_count_blocks("tool_request")} AS tool_requests,
    {_count_blocks("tool_response")} AS tool_responses,
    CASE
        WHEN NOT single THEN
            jsonb_array_length(jsonb_path_query_array(content, '$.blocks[*].parts[*].type()'))
        WHEN text = '' AND content #> '{{blocks,0,parts,0}}' IS NULL THEN 0
        ELSE 1
    END AS parts,
    length(text) AS n_chars,
    coalesce((content -> 'meta')::TEXT, '{{}}') AS meta
""".strip()

CONVERSATION_LOG = Frame(
    "conversation_log",
    {
        "identifier": "text",
        "position": "integer",
        "created": "timestamp",
        "role": "text",
        "speaker": "text",
        "text": "text",
        "reasoning": "text",
        "tools": "texts",
        "tool_requests": "integer",
        "tool_responses": "integer",
        "parts": "integer",
        "n_chars": "integer",
        "meta": "json",
    },
    f"""
    SELECT
    position,
    {LOG}
    FROM (
        SELECT *, {TEXT}, {KINDS}
        FROM (
            SELECT *, {SINGLE}
            FROM ({POSITIONED} AND {FIRST}) AS element
            WHERE (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
                AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
                AND (:role::TEXT IS NULL OR content ->> 'type' = :role::TEXT)
                AND (:speaker::TEXT IS NULL OR {speaker()} = :speaker::TEXT)
                AND (:tool::TEXT[] IS NULL OR {TOOLS} ?| :tool::TEXT[])
            -- The order of the window above, so that only the memories of the first rows are read.
            ORDER BY identifier, created, place
            LIMIT :limit::INT8
            OFFSET 0
        ) AS element
        OFFSET 0
    ) AS element
    """,
    lengths={"n_chars": "text"},
    # `memory` is the rank of the identifier, with a bucket number of 0 to 127 in the high 32 bits.
    # Elements without a row in `memories` (after a partial restore) come last, in bucket 129, and
    # are grouped by a hash.
    unordered=f"""
    SELECT
    memory,
    {LOG}
    FROM (
        SELECT *, {TEXT}, {KINDS}
        FROM (
            SELECT
                identifier,
                element.created,
                content,
                place,
                coalesce(memory, (129::INT8 << 32) + hashtext(identifier)) AS memory,
                {SINGLE}
            FROM {ELEMENTS} AS element
            LEFT JOIN (
                SELECT
                    identifier,
                    ((ntile(128) OVER ordered - 1)::INT8 << 32)
                        + row_number() OVER ordered AS memory
                FROM {CONVERSATIONS} AS conversation
                WHERE :identifier::TEXT[] IS NULL OR identifier = ANY (:identifier::TEXT[])
                WINDOW ordered AS (ORDER BY identifier)
            ) AS memory USING (identifier)
            WHERE :identifier::TEXT[] IS NULL OR identifier = ANY (:identifier::TEXT[])
            OFFSET 0
        ) AS element
        OFFSET 0
    ) AS element
    """,
)

# Ids of calls may repeat, in later turns and in one element. The response to the `nth` of `alike`
# requests with an id in an element is the nth block with that id after the element, unless there
# is another request with that id before it, which `asked` counts. All windows share one sort.
TOOL_CALLS = Frame(
    "tool_calls",
    {
        "identifier": "text",
        "position": "integer",
        "created": "timestamp",
        "call": "text",
        "tool": "text",
        "arguments": "json",
        "response": "text",
        "handling": "text",
        "failed": "boolean",
        "responded": "timestamp",
        "seconds": "float",
    },
    f"""
    SELECT
        event.identifier,
        event.position,
        event.created,
        event.call,
        event.block ->> 'tool' AS tool,
        event.block -> 'arguments' AS arguments,
        said.response,
        said.handling,
        coalesce({failed("said.handling", "said.response")}, FALSE) AS failed,
        CASE WHEN event.answered THEN event.next_created END AS responded,
        CASE WHEN event.answered AND NOT event.untimed AND NOT event.next_untimed THEN
            {seconds("event.created", "event.next_created")}
        END AS seconds
    FROM (
        SELECT
            *,
            lead(block, alike) OVER call AS next,
            lead(created, alike) OVER call AS next_created,
            lead(untimed, alike) OVER call AS next_untimed,
            coalesce(lead(asked, alike) OVER call = asked + alike - nth, FALSE) AS answered
        FROM (
            SELECT
                *,
                count(*) FILTER (WHERE block ->> 'type' = 'tool_request') OVER call AS asked,
                row_number() OVER element AS nth,
                count(*) OVER (
                    element ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
                )::INT AS alike
            FROM (
                SELECT
                    element.identifier,
                    element.position,
                    element.moment AS created,
                    {UNTIMED} AS untimed,
                    block.number,
                    block.value AS block,
                    block.value ->> 'identifier' AS call
                FROM ({POSITIONED}) AS element
                CROSS JOIN LATERAL jsonb_path_query(element.content, '{CALLS}')
                    WITH ORDINALITY AS block (value, number)
                WHERE content @? '{CALLS}'
            ) AS block
            WINDOW
                call AS (PARTITION BY identifier, call ORDER BY position, number),
                element AS (PARTITION BY identifier, call, position ORDER BY number)
        ) AS block
        WINDOW call AS (PARTITION BY identifier, call ORDER BY position, number)
    ) AS event
    LEFT JOIN LATERAL (
        SELECT
            event.next ->> 'handling' AS handling,
            (
                SELECT coalesce(string_agg(part #>> '{{}}', ''), '')
                FROM jsonb_path_query(event.next, '$.content.parts[*].text') AS part
            ) AS response
    ) AS said ON event.answered
    WHERE event.block ->> 'type' = 'tool_request'
        AND (:tool::TEXT[] IS NULL OR event.block ->> 'tool' = ANY (:tool::TEXT[]))
        AND (:since::TIMESTAMPTZ IS NULL OR event.created >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR event.created < :until::TIMESTAMPTZ)
    ORDER BY event.identifier, event.position, event.number
    LIMIT :limit::INT8
    """,
)

CHOSEN_MEMORIES: LiteralString = f"""
    SELECT identifier, created
    FROM {CONVERSATIONS} AS conversation
    WHERE {CHOSEN}
        AND (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
    ORDER BY identifier
    LIMIT :limit::INT8
""".strip()

SESSIONS = Frame(
    "sessions",
    {
        "identifier": "text",
        "created": "timestamp",
        "first": "timestamp",
        "last": "timestamp",
        "elements": "integer",
        "turns": "integer",
        "tool_calls": "integer",
        "failures": "integer",
        "n_chars": "integer",
        "seconds": "float",
        "question": "text",
        "variables": "json",
    },
    f"""
    SELECT
        identifier,
        memory_created AS created,
        min(created) AS first,
        max(created) AS last,
        count(content) AS elements,
        count(*) FILTER (WHERE {STARTS_TURN}) AS turns,
        sum({_count_blocks("tool_request")}) AS tool_calls,
        sum(CASE WHEN {RESPONDS} THEN {FAILURES} ELSE 0 END) AS failures,
        sum(length(text)) AS n_chars,
        -- of two elements with times of their own, or of a single one
        CASE WHEN count(*) FILTER (WHERE NOT untimed) >= least(2, count(content)) THEN
            {seconds("min(created)", "max(created)")}
        END AS seconds,
        (array_agg(text ORDER BY created, place) FILTER (WHERE {STARTS_TURN}))[1] AS question,
        (
            SELECT snapshot.variables
            FROM {SNAPSHOTS} AS snapshot
            WHERE snapshot.identifier = element.identifier
            ORDER BY snapshot.created DESC, snapshot.place DESC
            LIMIT 1
        ) AS variables
    FROM (
        SELECT *, {TEXT}, {KINDS}
        FROM (
            SELECT
                memory.identifier,
                memory.created AS memory_created,
                element.moment AS created,
                place,
                content,
                {UNTIMED} AS untimed,
                {SINGLE}
            FROM ({CHOSEN_MEMORIES}) AS memory
            LEFT JOIN {ELEMENTS} AS element
                ON element.identifier = memory.identifier
                -- Repeated for the pruning of partitions, and to convert no element of others.
                AND (:identifier::TEXT[] IS NULL OR element.identifier = ANY (:identifier::TEXT[]))
                AND (:limit::INT8 IS NULL OR element.identifier = ANY (ARRAY(
                    SELECT identifier FROM ({CHOSEN_MEMORIES}) AS first
                )))
            OFFSET 0
        ) AS element
        OFFSET 0
    ) AS element
    GROUP BY identifier, memory_created
    ORDER BY identifier
    """,
)

VARIABLES = Frame(
    "variables",
    {"identifier": "text", "created": "timestamp", "variables": "json"},
    f"""
    SELECT identifier, created, variables
    FROM {SNAPSHOTS} AS snapshot
    WHERE {CHOSEN}
        AND (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
    ORDER BY identifier, created, place
    LIMIT :limit::INT8
    """,
)
