"""The frames of memories. PostgreSQL takes the documents apart, for no more than printing them."""

from typing import LiteralString

from draive_pg.frames.frame import Frame
from draive_pg.operations.conversations.expressions import CALLS, ROLE, STARTS_TURN, TOOLS

__all__ = ("CONVERSATION_LOG", "SESSIONS", "TOOL_CALLS", "VARIABLES")


def _blocks(kind: LiteralString) -> LiteralString:
    """Return how many blocks of an element are of a kind."""
    return f"""CASE WHEN one THEN (kind = '{kind}')::INT ELSE jsonb_array_length(
    jsonb_path_query_array(kinds, '$[*] ? (@ == "{kind}")')
) END"""


# Most elements have one block of one part, to which paths lead in a third of the time of a JSON
# path query. Nothing but the text of parts is text: what artifacts and reasoning hold was not said.
ONE: LiteralString = """
(content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL) AS one
"""
TEXT: LiteralString = """
CASE WHEN one THEN coalesce(content #>> '{blocks,0,parts,0,text}', '') ELSE coalesce((
    SELECT string_agg(part #>> '{}', '')
    FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
), '') END AS text
"""
# Of one block its kind, which is of content where it says none; of several, those of all.
KINDS: LiteralString = """
CASE WHEN one THEN coalesce(content #>> '{blocks,0,type}', 'content') END AS kind,
CASE WHEN NOT one THEN jsonb_path_query_array(content, '$.blocks[*].type') END AS kinds
"""
# Positions count all elements of a memory, whichever of them are chosen.
POSITIONED: LiteralString = """
    SELECT
        identifier,
        created,
        content,
        ctid AS place,
        row_number() OVER (PARTITION BY identifier ORDER BY created, ctid) - 1 AS position
    FROM {schema}.memories_elements
    WHERE $1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[])
"""

# Elements whose memory has no row, as a restore may leave them, come last: their number is a hash.
# Each `OFFSET 0` keeps PostgreSQL from computing anew what several columns are made of.
LOG: LiteralString = f"""
    identifier,
    created,
    place,
    {ROLE} AS role,
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
    {_blocks("tool_request")} AS tool_requests,
    {_blocks("tool_response")} AS tool_responses,
    CASE
        WHEN NOT one THEN
            jsonb_array_length(jsonb_path_query_array(content, '$.blocks[*].parts[*].type()'))
        WHEN text = '' AND content #> '{{blocks,0,parts,0}}' IS NULL THEN 0
        ELSE 1
    END AS parts,
    length(text) AS n_chars,
    coalesce((content -> 'meta')::TEXT, '{{}}') AS meta
"""

CONVERSATION_LOG = Frame(
    "conversation_log",
    {
        "identifier": "text",
        "position": "integer",
        "created": "time",
        "role": "text",
        "text": "text",
        "reasoning": "text",
        "tools": "json",
        "tool_requests": "integer",
        "tool_responses": "integer",
        "parts": "integer",
        "n_chars": "integer",
        "meta": "json",
    },
    f"""
    SELECT position, {LOG}
    FROM (
        SELECT *, {TEXT}, {KINDS}
        FROM (SELECT *, {ONE} FROM ({POSITIONED}) AS element OFFSET 0) AS element
        WHERE ($2::TIMESTAMPTZ IS NULL OR created >= $2::TIMESTAMPTZ)
            AND ($3::TIMESTAMPTZ IS NULL OR created < $3::TIMESTAMPTZ)
            AND ($5::TEXT IS NULL OR content ->> 'type' = $5::TEXT)
            AND ($6::TEXT[] IS NULL OR {TOOLS} ?| $6::TEXT[])
        ORDER BY identifier, created, place
        LIMIT $4::INT8
        OFFSET 0
    ) AS element
    """,
    filters=("role", "tool"),
    lengths={"n_chars": "text"},
    unordered=f"""
    SELECT memory, {LOG}
    FROM (
        SELECT *, {TEXT}, {KINDS}
        FROM (
            SELECT
                identifier,
                element.created,
                content,
                element.ctid AS place,
                coalesce(memory, (129::INT8 << 32) + hashtext(identifier)) AS memory,
                {ONE}
            FROM {{schema}}.memories_elements AS element
            LEFT JOIN (
                SELECT
                    identifier,
                    ((ntile(128) OVER ordered - 1)::INT8 << 32)
                        + row_number() OVER ordered AS memory
                FROM {{schema}}.memories
                WHERE $1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[])
                WINDOW ordered AS (ORDER BY identifier)
            ) AS memory USING (identifier)
            WHERE $1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[])
            OFFSET 0
        ) AS element
        OFFSET 0
    ) AS element
    """,
)

# A request's response is the next of the same call: providers number calls anew in each turn.
TOOL_CALLS = Frame(
    "tool_calls",
    {
        "identifier": "text",
        "position": "integer",
        "created": "time",
        "call": "text",
        "tool": "text",
        "arguments": "json",
        "response": "text",
        "handling": "text",
        "responded": "time",
        "seconds": "number",
    },
    f"""
    SELECT
        event.identifier,
        event.position,
        event.created,
        event.block ->> 'identifier' AS call,
        event.block ->> 'tool' AS tool,
        event.block -> 'arguments' AS arguments,
        CASE WHEN event.answered THEN (
            SELECT coalesce(string_agg(part #>> '{{}}', ''), '')
            FROM jsonb_path_query(event.next, '$.content.parts[*].text') AS part
        ) END AS response,
        CASE WHEN event.answered THEN event.next ->> 'handling' END AS handling,
        CASE WHEN event.answered THEN event.next_created END AS responded,
        CASE WHEN event.answered THEN
            extract(EPOCH FROM event.next_created) - extract(EPOCH FROM event.created)
        END AS seconds
    FROM (
        SELECT
            element.identifier,
            element.position,
            element.created,
            block.number,
            block.value AS block,
            lead(block.value) OVER call AS next,
            lead(element.created) OVER call AS next_created,
            coalesce(lead(block.value) OVER call ->> 'type' = 'tool_response', FALSE) AS answered
        FROM ({POSITIONED}) AS element
        CROSS JOIN LATERAL jsonb_path_query(element.content, '{CALLS}')
            WITH ORDINALITY AS block (value, number)
        WHERE content @? '{CALLS}'
        WINDOW call AS (
            PARTITION BY element.identifier, block.value ->> 'identifier'
            ORDER BY element.position, block.number
        )
    ) AS event
    WHERE event.block ->> 'type' = 'tool_request'
        AND ($6::TEXT[] IS NULL OR event.block ->> 'tool' = ANY ($6::TEXT[]))
        AND ($2::TIMESTAMPTZ IS NULL OR event.created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR event.created < $3::TIMESTAMPTZ)
    ORDER BY event.identifier, event.position, event.number
    LIMIT $4::INT8
    """,
    filters=("tool",),
)

SESSIONS = Frame(
    "sessions",
    {
        "identifier": "text",
        "created": "time",
        "first": "time",
        "last": "time",
        "elements": "integer",
        "turns": "integer",
        "tool_calls": "integer",
        "n_chars": "integer",
        "seconds": "number",
    },
    f"""
    SELECT
        identifier,
        made AS created,
        min(created) AS first,
        max(created) AS last,
        count(content) AS elements,
        count(*) FILTER (WHERE {STARTS_TURN}) AS turns,
        sum({_blocks("tool_request")}) AS tool_calls,
        sum(length(text)) AS n_chars,
        extract(EPOCH FROM max(created)) - extract(EPOCH FROM min(created)) AS seconds
    FROM (
        SELECT *, {TEXT}, {KINDS}
        FROM (
            SELECT memory.identifier, memory.created AS made, element.created, content, {ONE}
            FROM {{schema}}.memories AS memory
            LEFT JOIN {{schema}}.memories_elements AS element
                ON element.identifier = memory.identifier
                AND ($1::TEXT[] IS NULL OR element.identifier = ANY ($1::TEXT[])) -- its partition
            WHERE ($1::TEXT[] IS NULL OR memory.identifier = ANY ($1::TEXT[]))
                AND ($2::TIMESTAMPTZ IS NULL OR memory.created >= $2::TIMESTAMPTZ)
                AND ($3::TIMESTAMPTZ IS NULL OR memory.created < $3::TIMESTAMPTZ)
            OFFSET 0
        ) AS element
        OFFSET 0
    ) AS element
    GROUP BY identifier, made
    ORDER BY identifier
    LIMIT $4::INT8
    """,
)

VARIABLES = Frame(
    "variables",
    {"identifier": "text", "created": "time", "variables": "json"},
    """
    SELECT identifier, created, variables
    FROM {schema}.memories_variables
    WHERE ($1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[]))
        AND ($2::TIMESTAMPTZ IS NULL OR created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR created < $3::TIMESTAMPTZ)
    ORDER BY identifier, created, ctid
    LIMIT $4::INT8
    """,
)
