"""SQL expressions on stored elements and times that several statements share."""

from typing import LiteralString

from draive_pg.codec.failures import FAILURE_SQL
from draive_pg.operations.conversations.store import SNAPSHOTS

# The conversations that a frame is of: those named, with a prefix, with newest variables.
CHOSEN: LiteralString = f"""
    (:identifier::TEXT[] IS NULL OR identifier = ANY (:identifier::TEXT[]))
    AND (:prefix::TEXT IS NULL OR starts_with(identifier, :prefix::TEXT))
    AND (:variables::JSONB IS NULL OR identifier IN (
        SELECT identifier
        FROM (
            SELECT DISTINCT ON (identifier) identifier, variables
            FROM {SNAPSHOTS} AS snapshot
            ORDER BY identifier, created DESC, place DESC
        ) AS newest
        WHERE variables @> :variables::JSONB
    ))
""".strip()

ROLE: LiteralString = """
CASE content ->> 'type'
    WHEN 'model_input' THEN 'input'
    WHEN 'model_output' THEN 'output'
    ELSE content ->> 'type'
END
"""

RESPONDS: LiteralString = """content -> 'blocks' @> '[{"type": "tool_response"}]'"""


def speaker(responds: LiteralString = RESPONDS) -> LiteralString:
    """Return who spoke: an input with tool responses is of a tool."""
    return f"""
CASE content ->> 'type'
    WHEN 'model_output' THEN 'assistant'
    WHEN 'model_input' THEN CASE WHEN {responds} THEN 'tool' ELSE 'user' END
    ELSE content ->> 'type'
END
"""


# True for an input without tool responses.
STARTS_TURN: LiteralString = f"content ->> 'type' = 'model_input' AND NOT {RESPONDS}"

# True for an imported element whose message has no time; see `draive_pg.codec.elements`.
UNTIMED: LiteralString = "content #> '{meta,untimed}' IS NOT NULL"

# JSON path of the tool requests and responses of an element, and the names of their tools.
CALLS: LiteralString = '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response")'
TOOLS: LiteralString = f"jsonb_path_query_array(content, '{CALLS}.tool')"

SPOKEN: LiteralString = "jsonb_path_query_array(content, '$.blocks[*].parts[*].text')"


def failed(handling: LiteralString, text: LiteralString) -> LiteralString:
    """Return the condition that a tool response reports a failure; see `draive_pg.codec.failures`.

    NULL without a response.
    """
    return f"({handling} = 'error' OR {text} ~* {FAILURE_SQL})"


# A response of an element failed: `value` is its block.
RESPONSE_TEXT: LiteralString = """coalesce((
    SELECT string_agg(part #>> '{}', '')
    FROM jsonb_path_query(block.value, '$.content.parts[*].text') AS part
), '')"""

# Number of failed responses of an element.
FAILURES: LiteralString = f"""(
    SELECT count(*)
    FROM jsonb_path_query(content, '$.blocks[*] ? (@.type == "tool_response")') AS block (value)
    WHERE {failed("block.value ->> 'handling'", RESPONSE_TEXT)}
)"""


def vector(language: LiteralString) -> LiteralString:
    """Return the tsvector of an element's text, for a text search configuration.

    It has only the text of content blocks, not of tools, reasoning or artifacts. PostgreSQL limits
    a tsvector to 1 MB, so only the beginning of a text over 250 kB is used. The expression must
    stay the same as in existing indexes, which PostgreSQL would otherwise not use.
    """
    return f"""CASE
    WHEN octet_length({SPOKEN}::TEXT) <= 250000 THEN to_tsvector({language}, {SPOKEN})
    ELSE to_tsvector({language}, replace(left({SPOKEN}::TEXT, 60000), E'\\\\n', ' '))
END"""


def seconds(start: LiteralString, end: LiteralString) -> LiteralString:
    """Return the seconds between two times, NULL if one is missing or infinite."""
    return f"""CASE WHEN isfinite({start}) AND isfinite({end}) THEN
    extract(EPOCH FROM {end}) - extract(EPOCH FROM {start})
END"""


def epoch_us(time: LiteralString) -> LiteralString:
    """Return a time as microseconds since 1970, NULL for an infinite one; see `from_epoch_us`."""
    return f"(extract(EPOCH FROM CASE WHEN isfinite({time}) THEN {time} END) * 1000000)::INT8"
