"""Frames of conversations. SQL unpacks the JSON, which is not slower than sending it as text.

Most elements have a single block with a single part. These are read without a JSON path query,
which would take three times as long, and without making the content of the element.
"""

from typing import LiteralString

from draive_pg.frames.frame import Frame
from draive_pg.operations.conversations.expressions import (
    CALLS,
    CHOSEN,
    FAILURES,
    FILTERS,
    IS_CALL,
    RESPONSE_TEXT,
    ROLE,
    SPEAKER,
    STARTS_TURN,
    failed,
    joined,
    seconds,
)
from draive_pg.operations.conversations.relations import (
    CONVERSATIONS,
    ELEMENTS,
    END_UNLESS,
    FENCE,
    RESPONSE_HANDLING,
    SNAPSHOTS,
    UNLESS_INDEXED,
    WRITES,
)


def _count_blocks(kind: LiteralString) -> LiteralString:
    """Return the SQL of the number of blocks of a type."""
    return f"""CASE WHEN kind IS NOT NULL THEN (kind = '{kind}')::INT ELSE jsonb_array_length(
    jsonb_path_query_array(composite, '$.blocks[*] ? (@.type == "{kind}")')
) END"""


# Only the text of content: artifacts and reasoning are not part of the conversation.
TEXT: LiteralString = f"""
CASE WHEN kind IS NOT NULL THEN coalesce(block #>> '{{parts,0,text}}', '')
    ELSE {joined("composite", "$.blocks[*].parts[*].text")}
END AS text
""".strip()
# Memories with enough elements for a limit, if no filter leaves elements out: each has one or more.
FIRST: LiteralString = f"""
    (
        {UNLESS_INDEXED}
        :limit::INT8 IS NULL
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
        {END_UNLESS}
    )
""".strip()
UNTIMED: LiteralString = "meta -> 'untimed' IS NOT NULL"
# The 64-bit number of the transaction that wrote an element, of which `writer` has the low 32 bits:
# the newest that is not in the future, so wrong for a row that is 2 ** 32 transactions old.
NEXT: LiteralString = "(SELECT pg_snapshot_xmax(pg_current_snapshot())::TEXT::INT8)"
WRITTEN: LiteralString = f"{NEXT} - 1 - (({NEXT} - 1 - writer::TEXT::INT8) & 4294967295)"
# Positions count all elements of a memory, before any filter.
POSITIONED: LiteralString = f"""
    SELECT
        identifier,
        created,
        moment,
        place,
        writer,
        type,
        meta,
        kind,
        block,
        composite,
        row_number() OVER (PARTITION BY identifier ORDER BY created, place) - 1 AS position
    FROM {ELEMENTS} AS element
    WHERE {CHOSEN}
""".strip()

LOG: LiteralString = f"""
    identifier,
    created,
    place,
    {ROLE} AS role,
    {SPEAKER} AS speaker,
    text,
    CASE
        WHEN kind IS NULL THEN {
    joined("composite", '$.blocks[*] ? (@.type == "reasoning").content.parts[*].text')
}
        WHEN kind = 'reasoning' THEN {
    joined("coalesce(block -> 'content', block -> 'reasoning')", "$.parts[*].text")
}
        ELSE ''
    END AS reasoning,
    CASE
        WHEN kind IS NULL THEN jsonb_path_query_array(composite, '{CALLS}.tool')::TEXT
        WHEN {IS_CALL} THEN coalesce('[' || (block -> 'tool')::TEXT || ']', '[]')
        ELSE '[]'
    END AS tools,
    {_count_blocks("tool_request")} AS tool_requests,
    {_count_blocks("tool_response")} AS tool_responses,
    CASE
        WHEN kind IS NULL THEN
            jsonb_array_length(jsonb_path_query_array(composite, '$.blocks[*].parts[*].type()'))
        WHEN text = '' AND block #> '{{parts,0}}' IS NULL THEN 0
        ELSE 1
    END AS parts,
    length(text) AS n_chars,
    coalesce(meta::TEXT, '{{}}') AS meta
""".strip()

# With the fences, expressions that several columns use are computed once.
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
        SELECT *, {TEXT}
        FROM (
            SELECT *
            FROM (
    {POSITIONED}
        AND {FIRST}
        AND (:first::TEXT IS NULL OR identifier BETWEEN :first::TEXT AND :last::TEXT)
            ) AS element
            WHERE {FILTERS}
                AND (
                    :written_before::INT8 IS NULL
                    OR writer IS NULL
                    OR {WRITTEN} < :written_before::INT8
                )
                AND (:written_since::INT8 IS NULL OR {WRITTEN} >= :written_since::INT8)
            -- The order of the window above, so that only the memories of the first rows are read.
            ORDER BY identifier, created, place
            LIMIT :limit::INT8
            {FENCE}
        ) AS element
        {FENCE}
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
        SELECT *, {TEXT}
        FROM (
            SELECT
                identifier,
                element.created,
                place,
                type,
                meta,
                kind,
                block,
                composite,
                coalesce(memory, (129::INT8 << 32) + hashtext(identifier)) AS memory
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
            {FENCE}
        ) AS element
        {FENCE}
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
        identifier,
        position,
        created,
        call,
        request ->> 'tool' AS tool,
        request -> 'arguments' AS arguments,
        response,
        handling,
        coalesce({failed("handling", "response")}, FALSE) AS failed,
        CASE WHEN answered THEN next_created END AS responded,
        CASE WHEN answered AND NOT untimed AND NOT next_untimed THEN
            {seconds("created", "next_created")}
        END AS seconds
    FROM (
        SELECT
            *,
            CASE WHEN answered THEN {RESPONSE_HANDLING} END AS handling,
            CASE WHEN answered THEN {RESPONSE_TEXT} END AS response
        FROM (
            SELECT
                identifier,
                position,
                number,
                created,
                untimed,
                call,
                kind,
                block AS request,
                lead(block, alike) OVER call AS block,
                lead(created, alike) OVER call AS next_created,
                lead(untimed, alike) OVER call AS next_untimed,
                coalesce(lead(asked, alike) OVER call = asked + alike - nth, FALSE) AS answered
            FROM (
                SELECT
                    *,
                    count(*) FILTER (WHERE kind = 'tool_request') OVER call AS asked,
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
                        call.number,
                        call.kind,
                        call.block,
                        call.block ->> 'identifier' AS call
                    FROM ({POSITIONED}) AS element
                    CROSS JOIN LATERAL (
                        SELECT
                            number,
                            coalesce(element.kind, value ->> 'type') AS kind,
                            value AS block
                        FROM jsonb_path_query(
                            CASE
                                WHEN {IS_CALL} THEN '[]'::JSONB || element.block
                                WHEN kind IS NULL
                                THEN jsonb_path_query_array(element.composite, '{CALLS}')
                            END,
                            '$[*]'
                        ) WITH ORDINALITY AS item (value, number)
                    ) AS call
                ) AS block
                WINDOW
                    call AS (PARTITION BY identifier, call ORDER BY position, number),
                    element AS (PARTITION BY identifier, call, position ORDER BY number)
            ) AS block
            WINDOW call AS (PARTITION BY identifier, call ORDER BY position, number)
        ) AS event
        WHERE kind = 'tool_request'
            AND (:tool::TEXT[] IS NULL OR request ->> 'tool' = ANY (:tool::TEXT[]))
            AND (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
            AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
        {FENCE}
    ) AS event
    ORDER BY identifier, position, number
    LIMIT :limit::INT8
    """,
)

CHOSEN_MEMORIES: LiteralString = f"""
    SELECT identifier, created
    FROM {CONVERSATIONS} AS conversation
    WHERE {CHOSEN}
        AND (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
""".strip()


def _is_first(identifier: LiteralString) -> LiteralString:
    """Return the condition of the first memories; Citus joins no tables with a limited query."""
    return f"""(:limit::INT8 IS NULL OR {identifier} = ANY (ARRAY(
    SELECT identifier FROM ({CHOSEN_MEMORIES}) AS chosen ORDER BY identifier LIMIT :limit::INT8
)))"""


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
        count(place) AS elements,
        count(*) FILTER (WHERE {STARTS_TURN}) AS turns,
        coalesce(sum({_count_blocks("tool_request")}), 0) AS tool_calls,
        coalesce(sum({FAILURES}), 0) AS failures,
        sum(length(text)) AS n_chars,
        -- of two elements with times of their own, or of a single one
        CASE WHEN count(*) FILTER (WHERE NOT untimed) >= least(2, count(place)) THEN
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
        SELECT *, {TEXT}
        FROM (
            SELECT
                memory.identifier,
                memory.created AS memory_created,
                element.moment AS created,
                place,
                type,
                kind,
                block,
                composite,
                {UNTIMED} AS untimed
            FROM (
    {CHOSEN_MEMORIES}
        AND {_is_first("identifier")}
            ) AS memory
            LEFT JOIN {ELEMENTS} AS element
                ON element.identifier = memory.identifier
                -- Repeated for the pruning of partitions, and to convert no element of others.
                AND (:identifier::TEXT[] IS NULL OR element.identifier = ANY (:identifier::TEXT[]))
                AND {_is_first("element.identifier")}
            {FENCE}
        ) AS element
        {FENCE}
    ) AS element
    GROUP BY identifier, memory_created
    ORDER BY identifier
    LIMIT :limit::INT8
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
