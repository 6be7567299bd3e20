"""SQL expressions on stored elements and times that several statements share."""

from typing import LiteralString

from draive_pg.codec.failures import FAILURE_SQL
from draive_pg.operations.conversations.relations import RESPONSE, RESPONSE_HANDLING, SNAPSHOTS

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

ROLE: LiteralString = """CASE type
    WHEN 'model_input' THEN 'input'
    WHEN 'model_output' THEN 'output'
    ELSE type
END"""

RESPONDS: LiteralString = """CASE
    WHEN kind IS NOT NULL THEN kind = 'tool_response'
    ELSE composite -> 'blocks' @> '[{"type": "tool_response"}]'
END"""

# Who spoke: an input with tool responses is of a tool.
SPEAKER: LiteralString = f"""CASE type
    WHEN 'model_output' THEN 'assistant'
    WHEN 'model_input' THEN CASE WHEN {RESPONDS} THEN 'tool' ELSE 'user' END
    ELSE type
END"""

# True for an input without tool responses.
STARTS_TURN: LiteralString = f"type = 'model_input' AND NOT {RESPONDS}"

# Elements from the newest one. With a limit that it does not know, the planner reads the index
# backwards until `STARTS_TURN` holds; without, it expects no such element, and sorts all of them.
BACKWARD: LiteralString = """ORDER BY created DESC, place DESC
LIMIT (SELECT 9223372036854775807)"""

# JSON path of the tool requests and responses of an element.
CALLS: LiteralString = '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response")'

IS_CALL: LiteralString = "kind IN ('tool_request', 'tool_response')"

# The conditions on elements that the log and the search share.
FILTERS: LiteralString = f"""
    (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
    AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
    AND (:role::TEXT IS NULL OR type = :role::TEXT)
    AND (:speaker::TEXT IS NULL OR {SPEAKER} = :speaker::TEXT)
    AND (:tool::TEXT[] IS NULL OR CASE
        WHEN kind IS NULL
        THEN jsonb_path_query_array(composite, '{CALLS}.tool') ?| :tool::TEXT[]
        ELSE {IS_CALL} AND block ->> 'tool' = ANY (:tool::TEXT[])
    END)
""".strip()

SPOKEN: LiteralString = "jsonb_path_query_array(content, '$.blocks[*].parts[*].text')"

# The text of an element in a subquery with the column `text`.
SPOKEN_TEXT: LiteralString = """
        SELECT coalesce(string_agg(part #>> '{}', ' '), '') AS text
        FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
    """


def failed(handling: LiteralString, text: LiteralString) -> LiteralString:
    """Return the condition that a tool response reports a failure; see `draive_pg.codec.failures`.

    NULL without a response.
    """
    return f"({handling} = 'error' OR {text} ~* {FAILURE_SQL})"


def joined(document: LiteralString, path: LiteralString) -> LiteralString:
    """Return the SQL of the texts at a path as one text."""
    return f"""coalesce((
    SELECT string_agg(part #>> '{{}}', '') FROM jsonb_path_query({document}, '{path}') AS part
), '')"""


# The text of the tool response `block`.
RESPONSE_TEXT: LiteralString = joined(RESPONSE, "$.parts[*].text")

# Number of failed responses of an element. Citus plans no subquery in the condition of another one.
FAILURES: LiteralString = f"""CASE
    WHEN kind = 'tool_response' THEN {failed(RESPONSE_HANDLING, RESPONSE_TEXT)}::INT
    WHEN kind IS NULL THEN (
        SELECT count(*)
        FROM (
            SELECT block, coalesce(string_agg(part #>> '{{}}', ''), '') AS text
            FROM jsonb_path_query(composite, '$.blocks[*] ? (@.type == "tool_response")')
                WITH ORDINALITY AS response (block, number)
            LEFT JOIN LATERAL jsonb_path_query({RESPONSE}, '$.parts[*].text') AS part ON TRUE
            GROUP BY number, block
        ) AS said
        WHERE {failed(RESPONSE_HANDLING, "text")}
    )
    ELSE 0
END"""


def vector(language: LiteralString) -> LiteralString:
    """Return SQL for the tsvector of the text of an element.

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
