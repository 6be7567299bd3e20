"""The frames: which columns of which kinds each has, and the statement whose rows it shows.

The documents are taken apart by PostgreSQL, which costs no more there than printing them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, LiteralString

__all__ = (
    "CONFIGURATIONS",
    "CONVERSATION_LOG",
    "INSTRUCTION_REVISIONS",
    "SESSIONS",
    "TOOL_CALLS",
    "VARIABLES",
    "Frame",
    "Kind",
)

type Kind = Literal["text", "integer", "number", "flag", "time", "json"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One DataFrame: its columns and their kinds, and the statement whose rows it has.

    The statement takes the chosen subjects, since, until and the limit.
    """

    name: str
    columns: Mapping[LiteralString, Kind]
    sql: LiteralString


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
    """
    SELECT
        element.identifier,
        element.position,
        element.created,
        CASE element.content ->> 'type'
            WHEN 'model_input' THEN 'input'
            WHEN 'model_output' THEN 'output'
            ELSE element.content ->> 'type'
        END AS role,
        spoken.text,
        thought.text AS reasoning,
        jsonb_path_query_array(
            element.content,
            '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response").tool'
        ) AS tools,
        jsonb_array_length(jsonb_path_query_array(
            element.content, '$.blocks[*] ? (@.type == "tool_request")'
        )) AS tool_requests,
        jsonb_array_length(jsonb_path_query_array(
            element.content, '$.blocks[*] ? (@.type == "tool_response")'
        )) AS tool_responses,
        jsonb_array_length(jsonb_path_query_array(
            element.content, '$.blocks[*].parts[*]'
        )) AS parts,
        length(spoken.text) AS n_chars,
        coalesce(element.content -> 'meta', '{}') AS meta
    FROM (
        SELECT
            identifier,
            created,
            content,
            row_number() OVER (PARTITION BY identifier ORDER BY created, ctid) - 1 AS position
        FROM {schema}.memories_elements
        WHERE $1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[])
    ) AS element
    CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(part #>> '{}', ''), '') AS text
        FROM jsonb_path_query(element.content, '$.blocks[*].parts[*].text') AS part
    ) AS spoken
    CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(part #>> '{}', ''), '') AS text
        FROM jsonb_path_query(
            element.content, '$.blocks[*] ? (@.type == "reasoning").content.parts[*].text'
        ) AS part
    ) AS thought
    WHERE ($2::TIMESTAMPTZ IS NULL OR element.created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR element.created < $3::TIMESTAMPTZ)
    ORDER BY element.identifier, element.position
    LIMIT $4::INT8
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
    """
    SELECT
        event.identifier,
        event.position,
        event.created,
        event.block ->> 'identifier' AS call,
        event.block ->> 'tool' AS tool,
        event.block -> 'arguments' AS arguments,
        CASE WHEN event.answered THEN (
            SELECT coalesce(string_agg(part #>> '{}', ''), '')
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
        FROM (
            SELECT
                identifier,
                created,
                content,
                row_number() OVER (PARTITION BY identifier ORDER BY created, ctid) - 1 AS position
            FROM {schema}.memories_elements
            WHERE $1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[])
        ) AS element
        CROSS JOIN LATERAL jsonb_path_query(
            element.content,
            '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response")'
        ) WITH ORDINALITY AS block (value, number)
        WINDOW call AS (
            PARTITION BY element.identifier, block.value ->> 'identifier'
            ORDER BY element.position, block.number
        )
    ) AS event
    WHERE event.block ->> 'type' = 'tool_request'
        AND ($2::TIMESTAMPTZ IS NULL OR event.created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR event.created < $3::TIMESTAMPTZ)
    ORDER BY event.identifier, event.position, event.number
    LIMIT $4::INT8
    """,
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
    """
    SELECT
        memory.identifier,
        memory.created,
        min(element.created) AS first,
        max(element.created) AS last,
        count(element.content) AS elements,
        count(*) FILTER (
            WHERE element.content ->> 'type' = 'model_input'
                AND NOT element.content -> 'blocks' @> '[{"type": "tool_response"}]'
        ) AS turns,
        coalesce(sum(jsonb_array_length(jsonb_path_query_array(
            element.content, '$.blocks[*] ? (@.type == "tool_request")'
        ))), 0) AS tool_calls,
        coalesce(sum(length(spoken.text)), 0) AS n_chars,
        extract(EPOCH FROM max(element.created)) - extract(EPOCH FROM min(element.created))
            AS seconds
    FROM {schema}.memories AS memory
    LEFT JOIN {schema}.memories_elements AS element
        ON element.identifier = memory.identifier
        AND ($1::TEXT[] IS NULL OR element.identifier = ANY ($1::TEXT[])) -- tells the partition
    LEFT JOIN LATERAL (
        SELECT string_agg(part #>> '{}', '') AS text
        FROM jsonb_path_query(element.content, '$.blocks[*].parts[*].text') AS part
    ) AS spoken ON TRUE
    WHERE ($1::TEXT[] IS NULL OR memory.identifier = ANY ($1::TEXT[]))
        AND ($2::TIMESTAMPTZ IS NULL OR memory.created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR memory.created < $3::TIMESTAMPTZ)
    GROUP BY memory.identifier, memory.created
    ORDER BY memory.identifier
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

INSTRUCTION_REVISIONS = Frame(
    "instruction_revisions",
    {
        "name": "text",
        "revision": "integer",
        "created": "time",
        "description": "text",
        "content": "text",
        "arguments": "json",
        "meta": "json",
        "n_chars": "integer",
        "current": "flag",
    },
    """
    SELECT
        name,
        revision,
        created,
        description,
        content,
        arguments,
        meta,
        length(content) AS n_chars,
        current
    FROM (
        SELECT
            *,
            row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
            created = max(created) OVER (PARTITION BY name) AS current
        FROM {schema}.instructions
        WHERE $1::TEXT[] IS NULL OR name = ANY ($1::TEXT[])
    ) AS revision
    WHERE ($2::TIMESTAMPTZ IS NULL OR created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR created < $3::TIMESTAMPTZ)
    ORDER BY name, revision
    LIMIT $4::INT8
    """,
)

CONFIGURATIONS = Frame(
    "configurations",
    {
        "identifier": "text",
        "revision": "integer",
        "created": "time",
        "content": "json",
        "current": "flag",
    },
    """
    SELECT identifier, revision, created, content, current
    FROM (
        SELECT
            *,
            row_number() OVER (PARTITION BY identifier ORDER BY created) AS revision,
            created = max(created) OVER (PARTITION BY identifier) AS current
        FROM {schema}.configurations
        WHERE $1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[])
    ) AS snapshot
    WHERE ($2::TIMESTAMPTZ IS NULL OR created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR created < $3::TIMESTAMPTZ)
    ORDER BY identifier, revision
    LIMIT $4::INT8
    """,
)
